from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lgmrec_pyg.graph import IdMap

if TYPE_CHECKING:
    import pandas as pd


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

    def to_frame(self) -> 'pd.DataFrame':
        r"""Returns a table with a row per ranked item and the columns
        :obj:`user`, :obj:`item`, :obj:`score` and :obj:`rank` (from 1 on),
        without the first if there is no query to name.
        """
        import pandas as pd

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
    query: Any,
    known: IdMap | None = None,
    names: tuple[str, str] = ('user', 'item'),
) -> Recommendations:
    r"""Returns what :meth:`~lgmrec_pyg.evaluation.topk` found in ids.

    Args:
        score (torch.Tensor): The scores :math:`(N, k)`.
        index (torch.Tensor): The item indices :math:`(N, k)`, filled with
            :obj:`-1` at the end of a row.
        items (IdMap): The ids of the items.
        query (Any): See :class:`Recommendations`; a list of :math:`N` ids, or
            anything else if :math:`N` is 1, or 0 for no items.
        known (IdMap, optional): The ids that queries are among. If :obj:`None`,
            they are numbers. (default: :obj:`None`)
        names (Tuple[str, str], optional): See :class:`Recommendations`.
            (default: :obj:`("user", "item")`)
    """
    count = (index >= 0).sum(dim=1).tolist()
    ids = [row[:n] for row, n in zip(items.decode(index), count, strict=True)]
    scores = [row[:n] for row, n in zip(score.tolist(), count, strict=True)]
    if not isinstance(query, list):
        ids, scores = (rows[0] if rows else [] for rows in (ids, scores))
    types = int if known is None else _type_of(known), _type_of(items)
    return Recommendations(ids, scores, query, names, types)


def _type_of(ids: IdMap) -> type:
    return type(ids.decode([0])[0])
