from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.ids.values import Ids, as_ids, kind_of


class IdMap:
    r"""Maps the ids of nodes, such as product codes, to their indices in a
    graph, and back.

    .. code-block:: python

        items = IdMap(['B00A1', 'B00B2', 'B00C3'])
        items.encode(['B00C3', 'B00A1'])  # tensor([2, 0])
        items.decode(torch.tensor([[1], [0]]))  # [['B00B2'], ['B00A1']]

    Args:
        ids (Sequence): The unique ids, all of them strings or all of them
            integers, where the :math:`n`-th id is that of the :math:`n`-th
            node. NumPy arrays, :class:`pandas.Series` and tensors do as well.

    Raises:
        ValueError: If an id is missing, empty, repeated, no valid Unicode, or
            neither a string nor an integer, or if strings and integers are mixed.
    """

    def __init__(self, ids: Ids) -> None:
        import pandas as pd

        self._values = values = as_ids(ids)
        self._index = pd.Index(values, dtype=values.dtype)
        if not self._index.is_unique:
            repeated = self._index.duplicated(keep=False)
            first = values[repeated].tolist()[0]
            places = (values == first).nonzero()[0]
            raise ValueError(
                f"'ids' needs to hold each id once (got {first!r} in positions "
                f'{places[0]} and {places[1]}, and {self._index.duplicated().sum()} '
                f'repetitions in total)'
            )

    @classmethod
    def of(cls, data: HeteroData, node_type: str) -> 'IdMap':
        r"""Returns the map of a graph: that of :obj:`data[node_type].ids`, or
        one from each index to itself in case the nodes have no :obj:`ids`.

        Args:
            data (HeteroData): The multimodal interaction graph.
            node_type (str): The node type, *e.g.*, :obj:`"item"`.
        """
        store = data[node_type]
        return cls(store.ids if 'ids' in store else range(int(store.num_nodes)))

    @property
    def ids(self) -> list[Any]:
        r"""The ids in the order of their indices."""
        return self._values.tolist()

    def encode(self, ids: Ids) -> Tensor:
        r"""Returns the index of each id.

        Args:
            ids (Sequence): The ids, which may repeat.

        Raises:
            ValueError: If ids are unknown, naming up to five of them, or if
                they are integers where strings are known, or vice versa.
        """
        values = as_ids(ids)
        if len(values) > 0 and len(self) > 0:
            self._check_kind(values)
        index = self._index.get_indexer(values)
        unknown = index < 0
        if unknown.any():
            names = list(dict.fromkeys(values[unknown].tolist()))
            raise ValueError(
                f"'ids' needs to hold known ids (got {len(names)} unknown of "
                f'{len(set(values.tolist()))}: {_some(names)})'
            )
        return torch.from_numpy(index.astype(np.int64))

    def decode(self, index: Tensor | Sequence[int]) -> list[Any]:
        r"""Returns the id of each index, as lists nested like the tensor.
        An index of :obj:`-1`, with which
        :meth:`~lgmrec_pyg.evaluation.topk` fills up, becomes :obj:`None`.

        Args:
            index (torch.Tensor): The indices, of any shape.

        Raises:
            ValueError: If an index is out of range.
        """
        rows = torch.as_tensor(index).cpu().numpy()
        if rows.size > 0 and rows.dtype.kind not in 'iu':
            raise ValueError(f"'index' needs to hold integers (got {rows.dtype})")
        wrong = (rows < -1) | (rows >= len(self))
        if wrong.any():
            raise ValueError(
                f"'index' needs to hold indices from 0 to {len(self) - 1}, or -1 "
                f'for none (got {rows[wrong][0]})'
            )
        out = np.full(rows.shape, None, dtype=object)
        known = rows >= 0
        out[known] = self._values[rows[known]]
        return out.tolist()

    def get(self, id: str | int, default: int | None = None) -> int | None:  # noqa: A002
        r"""Returns the index of an id, or :obj:`default` in case it is unknown.

        Args:
            id (str or int): The id.
            default (int, optional): What to return for an unknown id.
                (default: :obj:`None`)
        """
        kind = 'integer' if self._values.dtype.kind == 'i' else 'string'
        if kind_of(id) != kind or id not in self._index:
            return default
        return int(self._index.get_loc(id))

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return self.get(id) is not None  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._index)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdMap):
            return NotImplemented
        return self.ids == other.ids

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({len(self)})'

    def _check_kind(self, values: np.ndarray) -> None:
        if values.dtype != self._values.dtype:
            raise ValueError(
                f"'ids' needs to hold {_kind(self._values)} (got {_kind(values)})"
            )


def _kind(values: np.ndarray) -> str:
    return f'{kind_of(values[0])}s such as {values[:1].tolist()[0]!r}'


def _some(names: list[Any]) -> str:
    return ', '.join(map(repr, names[:5])) + ', ...' * (len(names) > 5)
