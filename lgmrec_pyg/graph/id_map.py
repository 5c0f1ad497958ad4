from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph.ids import Ids, as_ids, get_ids, kind_of


class IdMap:
    r"""Maps the ids of nodes, such as product codes, to their indices in a
    graph, and back.

    .. code-block:: python

        items = IdMap(['B00A1', 'B00B2', 'B00C3'])
        items.encode(['B00C3', 'B00A1'])  # tensor([2, 0])
        items.decode(torch.tensor([[1], [0]]))  # [['B00B2'], ['B00A1']]

    Args:
        ids (Sequence): The unique ids, see :func:`as_ids`, where the
            :math:`n`-th id is that of the :math:`n`-th node.
        name (str, optional): What error messages call them.
            (default: :obj:`"ids"`)

    Raises:
        ValueError: If an id repeats, or see :func:`as_ids`.
    """

    def __init__(self, ids: Ids, name: str = 'ids') -> None:
        self._values = values = as_ids(ids, name)
        self._index = pd.Index(values, dtype=values.dtype)
        if not self._index.is_unique:
            first = values[self._index.duplicated()].tolist()[0]
            places = (values == first).nonzero()[0]
            raise ValueError(
                f"'{name}' needs to hold each id once (got {first!r} in positions "
                f'{places[0]} and {places[1]})'
            )

    @classmethod
    def of(cls, data: HeteroData, node_type: str) -> 'IdMap':
        r"""Returns the map of a graph: that of its ids, see :func:`get_ids`, or
        one from each index to itself in case the nodes have none.

        Args:
            data (HeteroData): The multimodal interaction graph.
            node_type (str): The node type, *e.g.*, :obj:`"item"`.
        """
        ids = get_ids(data, node_type)
        return cls(range(int(data[node_type].num_nodes)) if ids is None else ids)

    @property
    def ids(self) -> list[Any]:
        r"""The ids in the order of their indices."""
        return self._values.tolist()

    def find(self, ids: Ids, name: str = 'ids') -> Tensor:
        r"""Returns the index of each id, and :obj:`-1` for unknown ones.

        Args:
            ids (Sequence): The ids, which may repeat.
            name (str, optional): What error messages call them.
                (default: :obj:`"ids"`)

        Raises:
            ValueError: If they are integers where strings are known, or vice versa.
        """
        values = as_ids(ids, name)
        if len(values) > 0 and len(self) > 0 and values.dtype != self._values.dtype:
            raise ValueError(
                f"'{name}' needs to hold {_kind(self._values)} (got {_kind(values)})"
            )
        return torch.from_numpy(self._index.get_indexer(values).astype(np.int64))

    def encode(self, ids: Ids, name: str = 'ids') -> Tensor:
        r"""Returns the index of each id.

        Args:
            ids (Sequence): The ids, which may repeat.
            name (str, optional): What error messages call them.
                (default: :obj:`"ids"`)

        Raises:
            ValueError: If ids are unknown, naming up to five of them, or see
                :meth:`find`.
        """
        index = self.find(ids, name)
        if bool((index < 0).any()):
            values = as_ids(ids, name)
            unknown = pd.unique(values[(index < 0).numpy()]).tolist()
            some = ', '.join(map(repr, unknown[:5])) + ', ...' * (len(unknown) > 5)
            raise ValueError(
                f"'{name}' needs to hold known ids (got {len(unknown)} unknown of "
                f'{len(pd.unique(values))}: {some})'
            )
        return index

    def decode(self, index: Tensor | Sequence[int]) -> list[Any]:
        r"""Returns the id of each index, as lists nested like the tensor.
        An index of :obj:`-1`, with which
        :meth:`~lgmrec_pyg.evaluation.topk` fills up, becomes :obj:`None`.

        Args:
            index (torch.Tensor): The indices, of any shape.

        Raises:
            ValueError: If an index is out of range.
        """
        rows = torch.as_tensor(index).long().cpu().numpy()
        wrong = rows[(rows < -1) | (rows >= len(self))]
        if wrong.size > 0:
            raise ValueError(
                f"'index' needs to hold indices from 0 to {len(self) - 1}, or -1 "
                f'for none (got {wrong[0]})'
            )
        out = np.full(rows.shape, None, dtype=object)
        out[rows >= 0] = self._values[rows[rows >= 0]]
        return out.tolist()

    def get(self, id: Any, default: int | None = None) -> int | None:  # noqa: A002
        r"""Returns the index of an id, or :obj:`default` in case it is unknown.

        Args:
            id (str or int): The id.
            default (int, optional): What to return for an unknown id.
                (default: :obj:`None`)
        """
        try:
            values = as_ids([id])
        except ValueError:  # It is no id at all.
            return default
        known = values.dtype == self._values.dtype and values[0] in self._index
        return int(self._index.get_loc(values[0])) if known else default

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return self.get(id) is not None

    def __len__(self) -> int:
        return len(self._index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdMap) and self.ids == other.ids

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({len(self)})'


def _kind(values: np.ndarray) -> str:
    return f'{kind_of(values[0])}s such as {values[:1].tolist()[0]!r}'
