from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_geometric.data import HeteroData
from torch_geometric.utils.sparse import index2ptr

from lgmrec_pyg.evaluation import topk
from lgmrec_pyg.evaluation.topk import at_least_single
from lgmrec_pyg.graph import ITEM, IdMap, modalities
from lgmrec_pyg.recommend import (
    ItemRegression,
    Recommender,
    ann_topk,
    build_index,
    embed_new_users,
)

Ranked = list[tuple[Any, float]]
NONE = torch.empty(0, dtype=torch.long)


class Filter(NamedTuple):
    r"""How many to return, and what of.

    Args:
        k (int): The number of items.
        exclude (torch.Tensor, optional): Indices not to return, where negative ones
            do not matter.
        candidates (torch.Tensor, optional): The only indices to return, likewise.
        include_seen (bool, optional): Whether to return what was seen.
    """

    k: int
    exclude: Tensor = NONE
    candidates: Tensor | None = None
    include_seen: bool = False


class Ranker:
    r"""Ranks for one query at a time, as :class:`~lgmrec_pyg.recommend.Recommender`
    ranks for many: all that does not depend on the query is computed once.

    An index of :obj:`-1` stands for an unknown user or item, for which popular items
    are ranked.

    Args:
        recommender (Recommender): The embeddings.
        data (HeteroData, optional): The graph that the model was trained on, by whose
            features new items are embedded. (default: :obj:`None`)
        approximate (bool, optional): If set to :obj:`True`, will rank for users by an
            index. (default: :obj:`False`)

    Raises:
        ImportError: If an index needs :obj:`faiss`.
        ValueError: If the graph holds other items.
    """

    def __init__(
        self,
        recommender: Recommender,
        data: HeteroData | None = None,
        approximate: bool = False,
    ) -> None:
        self.users, self.items = recommender.users, recommender.items
        emb = at_least_single(recommender.user_emb, recommender.item_emb)
        self.user_emb, self.item_emb = emb
        self.directions = normalize(self.item_emb, dim=1)
        user, self.seen = (x.contiguous() for x in recommender.seen)
        self.rowptr = index2ptr(user, len(self.users))
        popularity = torch.bincount(self.seen, minlength=len(self.items))
        self.popularity = popularity.to(self.item_emb.dtype).view(-1, 1)
        self.index = build_index(self.item_emb) if approximate else None
        self.widths: dict[str, int] = {}
        if data is not None:
            if IdMap.of(data, ITEM) != self.items:
                raise ValueError('The graph needs to hold the items of the embeddings')
            self.widths = {name: data[name].num_features for name in modalities(data)}
            self.embed = ItemRegression(data, self.item_emb)
            with suppress(ValueError):  # Fits all modalities before any request.
                one = {x: torch.ones(1, width) for x, width in self.widths.items()}
                self.embed({name: normalize(x) for name, x in one.items()})

    def for_user(self, user: int, only: Filter) -> Ranked:
        r"""The items with the highest scores for a user."""
        if user < 0:
            return self._popular(only)
        if not only.include_seen:
            seen = self.seen[self.rowptr[user] : self.rowptr[user + 1]]
            only = only._replace(exclude=torch.cat([only.exclude, seen]))
        emb = self.user_emb[user : user + 1]
        return self._best(emb, self.item_emb, self.items, only, self.index)

    def for_history(self, items: Tensor, only: Filter) -> Ranked:
        r"""The items with the highest scores for someone who has some."""
        items = items[items >= 0].unique()
        if items.numel() == 0:
            return self._popular(only)
        if not only.include_seen:
            only = only._replace(exclude=torch.cat([only.exclude, items]))
        emb = embed_new_users(self.item_emb, [items])
        return self._best(emb, self.item_emb, self.items, only)

    def similar(self, item: int, only: Filter) -> Ranked:
        r"""The items whose embeddings have the highest cosine similarity."""
        if item < 0:
            return self._popular(only)
        own = torch.tensor([item])
        only = only._replace(exclude=torch.cat([only.exclude, own]))
        emb = self.directions[item : item + 1]
        return self._best(emb, self.directions, self.items, only)

    def for_new_item(
        self, features: dict[str, list[float]], k: int
    ) -> tuple[Ranked, Ranked]:
        r"""The items that are like a new one, and the users with the highest scores.

        Raises:
            ValueError: If features do not match those of the graph.
        """
        widths = {name: len(x) for name, x in features.items()}
        if not widths.items() <= self.widths.items():
            raise ValueError(
                f"'features' needs to hold rows of the widths {self.widths}, or some "
                f'of them (got {widths!r:.200})'
            )
        x_dict = {name: torch.tensor([x]) for name, x in features.items()}
        if not any(bool(x.any()) for x in x_dict.values()):
            raise ValueError("'features' needs to hold more than zeros")
        emb = self.embed(x_dict) if _are_finite(*x_dict.values()) else None
        if emb is None or not _are_finite(emb):
            raise ValueError("'features' needs to be on the scale of those in training")
        unit = normalize(emb, dim=1)
        return (
            self._best(unit, self.directions, self.items, Filter(k)),
            self._best(emb, self.user_emb, self.users, Filter(k)),
        )

    def _popular(self, only: Filter) -> Ranked:
        one = self.popularity.new_ones(1, 1)
        return self._best(one, self.popularity, self.items, only)

    def _best(
        self, emb: Tensor, table: Tensor, ids: IdMap, only: Filter, index: Any = None
    ) -> Ranked:
        exclude = only.exclude[only.exclude >= 0].unique()
        rows = None
        if only.candidates is not None:
            rows = only.candidates[only.candidates >= 0].unique()
            rows = rows[torch.isin(rows, exclude, invert=True)]
            table, exclude, index = table[rows], NONE, None
        k = min(only.k, table.size(0))
        if k == 0:
            return []
        excluded = torch.tensor([0, exclude.numel()]), exclude
        if index is None:
            score, found = topk(emb, table, k, excluded)
        else:
            score, found = ann_topk(index, emb, table, k, excluded)
        found, score = found[0][found[0] >= 0], score[0][found[0] >= 0]
        found = found if rows is None else rows[found]
        return list(zip(ids.decode(found), score.tolist(), strict=True))


def _are_finite(*tensors: Tensor) -> bool:
    return all(bool(x.isfinite().all()) for x in tensors)
