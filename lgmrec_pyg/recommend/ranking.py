r"""Ranks by embeddings in the numbers of users and items."""

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from lgmrec_pyg.evaluation.csr_rows import (
    Rows,
    compress,
    expand,
    select_rows,
    stack_rows,
)
from lgmrec_pyg.evaluation.topk import at_least_single, check_counts, topk
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.recommend.ann import ann_topk
from lgmrec_pyg.recommend.lookup import Query, look_up

if TYPE_CHECKING:
    from torch_geometric.nn.pool.knn import KNNIndex

Exclude: TypeAlias = str | Sequence[Any] | Set[Any] | Mapping[Any, Any] | None


def rank(
    query: Query,
    query_emb: Tensor,
    emb: Tensor,
    k: int,
    exclude: Rows,
    popularity: Tensor,
    index: 'KNNIndex | None' = None,
    some: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Ranks all rows, or some of them, by inner products, and by popularity for
    what is unknown.
    """
    if some is not None:
        some = some[some >= 0].to(emb.device)
        exclude = _restrict(exclude, some, emb.size(0))
        emb, popularity = emb[some], popularity[some]
        score, found = rank(query, query_emb, emb, k, exclude, popularity)
        return score, torch.where(found < 0, found, some[found])
    check_counts(k=k)
    k = min(k, emb.size(0))
    if k == 0:
        score = query_emb.new_empty(query_emb.size(0), 0)
        return score, score.long()
    if index is None:
        score, found = topk(query_emb, emb, k, exclude)
    else:
        score, found = ann_topk(index, query_emb, emb, k, exclude)
    unknown = (query.rows < 0).nonzero().flatten().to(emb.device)
    if unknown.numel() > 0:
        ones = popularity.new_ones(unknown.numel(), 1)
        exclude = select_rows(*exclude, unknown)
        best, found[unknown] = topk(ones, popularity.view(-1, 1), k, exclude)
        score[unknown] = best.to(score.dtype)
    return score, found


def rank_similar(
    query: Query, ids: IdMap, emb: Tensor, popularity: Tensor, k: int, exclude: Exclude
) -> tuple[Tensor, Tensor]:
    r"""Ranks by cosine similarity, without the queries themselves."""
    unit = torch.nn.functional.normalize(at_least_single(emb, emb)[0], dim=1)
    every = torch.arange(len(ids) + 1, device=emb.device)
    excluded = exclusion((every, every[:-1]), query, exclude, False, ids)
    return rank(query, unit[query.rows], unit, k, excluded, popularity)


def exclusion(
    seen: Rows, query: Query, exclude: Exclude, include_seen: bool, targets: IdMap
) -> Rows:
    r"""Returns what not to return for each of a query in CSR format."""
    if isinstance(exclude, str) and exclude != 'seen':
        raise ValueError(
            f"'exclude' needs to be 'seen', None, a sequence of ids or a mapping to "
            f"sequences of ids (got '{exclude}')"
        )
    rowptr, col = seen
    rows = query.rows.to(col.device)
    if exclude is None or include_seen:
        out = rowptr.new_zeros(rows.numel() + 1), col[:0]
    else:  # Unknown ones have the last row, which is empty.
        rows = torch.where(rows < 0, rowptr.numel() - 1, rows)
        out = select_rows(torch.cat([rowptr, rowptr[-1:]]), col, rows)
    if exclude is None or isinstance(exclude, str):
        return out
    if isinstance(exclude, Mapping):
        ids = query.ids[: rows.numel()]
        more = [_find(targets, exclude.get(id_, ())) for id_ in ids]
    else:
        more = [_find(targets, exclude)] * rows.numel()
    pairs = expand(*stack_rows(more)).to(col.device)
    pairs = torch.cat([expand(*out), pairs], dim=1)
    return compress('exclude', pairs, (rows.numel(), len(targets)))


def _restrict(exclude: Rows, some: Tensor, size: int) -> Rows:
    place = some.new_full((size,), -1)
    place[some] = torch.arange(some.numel(), device=some.device)
    row, col = expand(*exclude)
    pairs = torch.stack([row, place[col]])[:, place[col] >= 0]
    return compress('exclude', pairs, (exclude[0].numel() - 1, some.numel()))


def _find(targets: IdMap, ids: Any) -> Tensor:
    return look_up(targets, ids, 'exclude', 'skip').rows
