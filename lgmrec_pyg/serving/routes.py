from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from lgmrec_pyg.recommend import Recommendations
from lgmrec_pyg.serving.known_ids import KnownIds
from lgmrec_pyg.serving.limits import Overloaded, Pool
from lgmrec_pyg.serving.schemas import (
    Card,
    Health,
    HistoryRequest,
    ItemRequest,
    Items,
    ItemsAndUsers,
    NewItemRequest,
    Problem,
    Scored,
    UserRequest,
)
from lgmrec_pyg.serving.snapshot import Latest, Snapshot

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {'model': Problem, 'description': text}
    for status, text in {
        400: 'The body is no JSON',
        404: 'Something is unknown, or not served',
        408: 'The body took too long to come',
        413: 'The body is too large',
        422: 'The request is not as described',
        503: 'Too many requests: try again after the seconds of `Retry-After`',
    }.items()
}


def add_routes(app: FastAPI, latest: Latest, pool: Pool) -> None:
    r"""Adds all paths to an application."""

    async def answer(call: Any, body: Any) -> Any:
        return await pool.run(call, latest.snapshot, body)

    @app.post('/recommend', responses=PROBLEMS)
    async def recommend(body: UserRequest) -> Items:
        """The items with the highest scores for a known user, without those that they
        are known to have.
        """
        return await answer(_recommend, body)

    @app.post('/recommend/history', responses=PROBLEMS)
    async def recommend_history(body: HistoryRequest) -> Items:
        """The items for someone unknown, by the items that they have."""
        return await answer(_recommend_history, body)

    @app.post('/similar', responses=PROBLEMS)
    async def similar(body: ItemRequest) -> Items:
        """The items that are like a known one, by cosine similarity."""
        return await answer(_similar, body)

    @app.post('/new-item', responses=PROBLEMS)
    async def new_item(body: NewItemRequest) -> ItemsAndUsers:
        """The items that are like a new one, and the users for it, by its features."""
        return await answer(_new_item, body)

    @app.get('/card', responses={404: PROBLEMS[404]})
    async def card() -> Card:
        """The card of the model: its class, settings, metrics, and versions."""
        if latest.snapshot.card is None:
            raise HTTPException(404, 'The model came without a card')
        return latest.snapshot.card

    @app.get('/health')
    async def health() -> Health:
        """Whether the service is up, and what it answers from."""
        return _health(latest.snapshot)

    @app.exception_handler(Overloaded)
    async def overloaded(request: Request, error: Exception) -> JSONResponse:
        detail = 'Too many requests: try again'
        return JSONResponse({'detail': detail}, 503, {'Retry-After': '1'})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: Exception) -> JSONResponse:
        # Without the input, which may be large, or no valid JSON itself.
        found = [_in_words(x) for x in getattr(error, 'errors', list)()]
        return JSONResponse({'detail': '; '.join(found[:5])}, 422)


def _recommend(snapshot: Snapshot, body: UserRequest) -> Items:
    items = None
    if body.items is not None:
        items = _find(snapshot.items, body.items, 'items', body.unknown)
    (user,) = _find(snapshot.users, [body.user], 'user', body.unknown)
    found = snapshot.recommender.recommend(
        user,
        body.k,
        exclude=snapshot.items.find(body.exclude),
        index=snapshot.index,
        unknown='popular',
        items=items,
        include_seen=body.include_seen,
    )
    return _as_items(found)


def _recommend_history(snapshot: Snapshot, body: HistoryRequest) -> Items:
    found = snapshot.recommender.recommend_history(
        _find(snapshot.items, body.items, 'items', body.unknown),
        body.k,
        exclude=snapshot.items.find(body.exclude),
        unknown='popular',
        include_seen=body.include_seen,
    )
    return _as_items(found)


def _similar(snapshot: Snapshot, body: ItemRequest) -> Items:
    (item,) = _find(snapshot.items, [body.item], 'item', body.unknown)
    exclude = snapshot.items.find(body.exclude)
    found = snapshot.recommender.similar_items(item, body.k, 'popular', exclude)
    return _as_items(found)


def _new_item(snapshot: Snapshot, body: NewItemRequest) -> ItemsAndUsers:
    if snapshot.new_item is None:
        raise HTTPException(404, 'New items are not served: the graph is missing')
    try:
        items, users = snapshot.new_item(body.features, body.k)
    except ValueError as error:
        raise HTTPException(422, f'{error}') from error
    return ItemsAndUsers(items=_scored(items), users=_scored(users))


def _health(snapshot: Snapshot) -> Health:
    new_item = snapshot.new_item
    return Health(
        num_users=len(snapshot.recommender.users),
        num_items=len(snapshot.recommender.items),
        index='exact' if snapshot.index is None else 'faiss',
        new_items=new_item is not None,
        modalities={} if new_item is None else new_item.widths,
    )


def _find(known: KnownIds, ids: list[Any], name: str, unknown: str) -> list[Any]:
    values = known.find(ids)
    if unknown == 'error':
        pairs = zip(ids, values, strict=True)
        missing = [id_ for id_, value in pairs if value == known.absent]
        if missing:
            some = ', '.join(f'{x!r:.50}' for x in missing[:5])
            more = ', ...' if len(missing) > 5 else ''
            raise HTTPException(
                404, f"'{name}' holds {len(missing)} unknown ids: {some}{more}"
            )
    return values


def _as_items(found: Recommendations) -> Items:
    return Items(items=_scored(zip(found.ids, found.scores, strict=True)))


def _scored(pairs: Any) -> list[Scored]:
    return [Scored(id=id_, score=score) for id_, score in pairs]


def _in_words(error: dict[str, Any]) -> str:
    parts = [f'{x!s:.50}' for x in error['loc']]
    place = '.'.join(x for x in parts if not x.startswith('constrained-'))
    return f'{place}: {error["msg"]:.200}'
