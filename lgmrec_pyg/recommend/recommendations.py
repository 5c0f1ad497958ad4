import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.evaluation.topk import check_counts
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.recommend.lookup import Query
from lgmrec_pyg.storage import atomic_write

ENDINGS = ('.parquet', '.pq')
ROWS = 2**18


@dataclass(frozen=True)
class Recommendations:
    r"""Ranked items, best first, in the ids that the user of the library knows.

    .. code-block:: python

        ids, scores = recommender.recommend('ann', k=3)
        frame = recommender.recommend(['ann', 'bob']).to_frame()

    Args:
        ids (list): The ids of the items, or one list of ids per query in case
            there are several queries. A list is shorter than was asked for if
            fewer items are left.
        scores (list): The scores, nested like :obj:`ids`.
        query (Any, optional): The id of the user or item that the items were
            ranked for, or a list of ids. (default: :obj:`None`)
        names (Tuple[str, str], optional): What the table calls a query and a
            ranked item. (default: :obj:`("user", "item")`)
        types (Tuple[type, type], optional): The types of their ids, which are
            those of an empty table. (default: :obj:`(str, str)`)
    """

    ids: list[Any]
    scores: list[Any]
    query: Any = None
    names: tuple[str, str] = ('user', 'item')
    types: tuple[type, type] = (str, str)

    def to_frame(self) -> pd.DataFrame:
        r"""Returns a table with a row per ranked item and the columns
        :obj:`user`, :obj:`item`, :obj:`score` and :obj:`rank` (from 1 on),
        without the first if there is no query to name.
        """
        several = isinstance(self.query, list)
        queries = self.query if several else [self.query]
        ids, scores = (x if several else [x] for x in (self.ids, self.scores))
        columns = {
            self.names[0]: [
                q for q, row in zip(queries, ids, strict=True) for _ in row
            ],
            self.names[1]: [x for row in ids for x in row],
            'score': [x for row in scores for x in row],
            'rank': [rank for row in ids for rank in range(1, len(row) + 1)],
        }
        types = dict(zip(columns, (*self.types, float, int), strict=True))
        if self.query is None:
            del columns[self.names[0]]
        frame = pd.DataFrame(columns)
        # Of nothing, pandas cannot tell the type:
        return frame.astype({x: types[x] for x in columns}) if frame.empty else frame

    def __iter__(self) -> Iterator[list[Any]]:
        yield self.ids
        yield self.scores


def decode(
    score: Tensor,
    index: Tensor,
    items: IdMap,
    query: Query,
    known: IdMap | None = None,
    names: tuple[str, str] = ('user', 'item'),
) -> Recommendations:
    r"""Returns what :meth:`~lgmrec_pyg.evaluation.topk` found in ids. Queries that
    are not among known ids are numbers, and one alone has none.
    """
    count = (index >= 0).sum(dim=1).tolist()
    ids = [row[:n] for row, n in zip(items.decode(index), count, strict=True)]
    scores = [row[:n] for row, n in zip(score.tolist(), count, strict=True)]
    types = int if known is None else _type_of(known), _type_of(items)
    if not query.is_one:
        return Recommendations(ids, scores, query.ids, names, types)
    name = None if known is None else query.ids[0]
    ids, scores = (rows[0] if rows else [] for rows in (ids, scores))
    return Recommendations(ids, scores, name, names, types)


def write_parquet(
    path: str | os.PathLike[str],
    rank: Callable[[Tensor, int], tuple[Tensor, Tensor]],
    users: IdMap,
    items: IdMap,
    k: int,
) -> None:
    r"""Ranks items for all users, and writes them into a Parquet file, a group of
    rows at a time, see :meth:`~lgmrec_pyg.recommend.Recommender.to_parquet`.
    """
    check_counts(k=k)
    k = min(k, len(items))
    if not os.fspath(path).lower().endswith(ENDINGS):
        raise ValueError(
            f"'path' needs to end in one of {ENDINGS} (got '{os.fspath(path)}'). For "
            f"other formats, write 'Recommendations.to_frame()'"
        )
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError("Parquet needs 'pyarrow': pip install pyarrow") from error
    user_ids, item_ids = pa.array(users.ids), pa.array(items.ids)
    types = user_ids.type, item_ids.type, pa.float32(), pa.int64()
    schema = pa.schema(zip(('user', 'item', 'score', 'rank'), types, strict=True))
    with (
        atomic_write(path) as partial,
        parquet.ParquetWriter(partial, schema) as writer,
    ):
        for rows in torch.arange(len(users)).split(max(1, ROWS // k)):
            score, index = (x.cpu() for x in rank(rows, k))
            place, column = (index >= 0).nonzero(as_tuple=True)
            columns = [
                user_ids.take(pa.array(rows[place].numpy())),
                item_ids.take(pa.array(index[place, column].numpy())),
                pa.array(score[place, column].float().numpy()),
                pa.array((column + 1).numpy()),
            ]
            writer.write_table(pa.table(columns, schema))


def _type_of(ids: IdMap) -> type:
    return type(ids.decode([0])[0])
