from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from torch import Tensor

from lgmrec_pyg.serving.known_ids import KnownIds
from lgmrec_pyg.serving.limits import Overloaded, Pool
from lgmrec_pyg.serving.ranker import Filter, Ranked
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
        card = latest.snapshot.card
        if card is None:
            raise HTTPException(404, 'The model came without a card')
        return card

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
    user = _find(snapshot.users, [body.user], 'user', body.unknown)
    items = None
    if body.items is not None:
        items = _find(snapshot.items, body.items, 'items', body.unknown)
    exclude = snapshot.items.find(body.exclude)
    only = Filter(body.k, exclude, items, body.include_seen)
    return Items(items=_scored(snapshot.ranker.for_user(int(user), only)))


def _recommend_history(snapshot: Snapshot, body: HistoryRequest) -> Items:
    items = _find(snapshot.items, body.items, 'items', body.unknown)
    exclude = snapshot.items.find(body.exclude)
    only = Filter(body.k, exclude, include_seen=body.include_seen)
    return Items(items=_scored(snapshot.ranker.for_history(items, only)))


def _similar(snapshot: Snapshot, body: ItemRequest) -> Items:
    item = _find(snapshot.items, [body.item], 'item', body.unknown)
    only = Filter(body.k, snapshot.items.find(body.exclude))
    return Items(items=_scored(snapshot.ranker.similar(int(item), only)))


def _new_item(snapshot: Snapshot, body: NewItemRequest) -> ItemsAndUsers:
    if not snapshot.ranker.widths:
        raise HTTPException(404, 'New items are not served: there are no features')
    try:
        items, users = snapshot.ranker.for_new_item(body.features, body.k)
    except ValueError as error:
        raise HTTPException(422, f'{error}') from error
    return ItemsAndUsers(items=_scored(items), users=_scored(users))


def _health(snapshot: Snapshot) -> Health:
    return Health(
        num_users=len(snapshot.ranker.users),
        num_items=len(snapshot.ranker.items),
        index='exact' if snapshot.ranker.index is None else 'faiss',
        modalities=snapshot.ranker.widths,
    )


def _find(known: KnownIds, ids: list[Any], name: str, unknown: str) -> Tensor:
    rows = known.find(ids)
    if unknown == 'error' and bool((rows < 0).any()):
        missing = [x for x, row in zip(ids, rows.tolist(), strict=True) if row < 0]
        some = ', '.join(f'{x!r:.50}' for x in missing[:5])
        some += ', ...' * (len(missing) > 5)
        raise HTTPException(404, f"'{name}' holds {len(missing)} unknown ids: {some}")
    return rows


def _scored(pairs: Ranked) -> list[Scored]:
    return [Scored(id=id_, score=score) for id_, score in pairs]


def _in_words(error: dict[str, Any]) -> str:
    # Beside the names of fields, there are those of the types of an id.
    parts = [f'{x!s:.50}' for x in error['loc']]
    place = '.'.join(x for x in parts if '-' not in x)
    return f'{place}: {error["msg"]:.200}'
