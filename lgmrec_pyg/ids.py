from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

Ids: TypeAlias = Sequence[str] | Sequence[int] | np.ndarray | Tensor

INT64 = np.iinfo(np.int64)
KINDS = ('string', 'integer', 'empty')


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
        ValueError: If an id is missing, empty, repeated, or neither a string
            nor an integer, or if strings and integers are mixed.
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
        if _kind_of(id) != kind or id not in self._index:
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


def as_ids(ids: Any, name: str = 'ids') -> np.ndarray:
    r"""Returns ids as an array, either of data type :obj:`int64` or of
    :class:`str` objects.

    Args:
        ids (Sequence): The ids, which may repeat.
        name (str, optional): What error messages call them.
            (default: :obj:`"ids"`)

    Raises:
        ValueError: If an id is missing, empty, or neither a string nor an
            integer, or if strings and integers are mixed.
    """
    import pandas as pd

    values = ids.detach().cpu().numpy() if isinstance(ids, Tensor) else ids
    if isinstance(values, range):
        values = np.arange(values.start, values.stop, values.step, dtype=np.int64)
    if isinstance(values, (pd.Series, pd.Index)):
        is_numpy = isinstance(values.dtype, np.dtype)
        values = values.to_numpy(dtype=None if is_numpy else object)
    is_array = isinstance(values, np.ndarray)
    if values.ndim != 1 if is_array else not isinstance(values, (list, tuple)):
        raise ValueError(
            f"'{name}' needs to be a one-dimensional sequence of ids (got "
            f'{type(ids).__name__} {ids!r:.50})'
        )
    if is_array and values.dtype.kind == 'i':
        return values.astype(np.int64)
    values = pd.Series(values, dtype=object).to_numpy()
    kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind not in KINDS:
        raise _bad_id_error(values, name)
    if kind == 'integer':
        return _as_int64(values, name)
    if (values == '').any():
        place = int((values == '').argmax())
        raise ValueError(
            f"'{name}' needs to hold non-empty ids (got '' in position {place})"
        )
    return np.frompyfunc(str, 1, 1)(values)


def _as_int64(values: np.ndarray, name: str) -> np.ndarray:
    wrong = (values < INT64.min) | (values > INT64.max)
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            f"'{name}' needs to hold integers of at most 64 bits (got "
            f'{values[place]} in position {place})'
        )
    return values.astype(np.int64)


def _bad_id_error(values: np.ndarray, name: str) -> ValueError:
    import pandas as pd

    missing = pd.isna(values)
    kinds = np.array([_kind_of(value) for value in values])
    wrong = missing | (kinds == 'other')
    first = missing if missing.any() else wrong if wrong.any() else kinds != kinds[0]
    place = int(first.argmax())
    value = values[place]
    if missing[place]:
        return ValueError(
            f"'{name}' needs to hold an id in every position (got {value!r} in "
            f'position {place}, and {missing.sum()} missing in total)'
        )
    if wrong.any():
        hint = '; missing values turn integers into it' * isinstance(value, float)
        return ValueError(
            f"'{name}' needs to hold strings or integers (got {value!r} of type "
            f'{type(value).__name__} in position {place}{hint})'
        )
    return ValueError(
        f"'{name}' needs to hold either strings or integers, not both (got "
        f'{values[0]!r} in position 0 and {value!r} in position {place})'
    )


def _kind_of(value: Any) -> str:
    if isinstance(value, str):
        return 'string'
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return 'integer' if is_int else 'other'


def _kind(values: np.ndarray) -> str:
    return f'{_kind_of(values[0])}s such as {values[:1].tolist()[0]!r}'


def _some(names: list[Any]) -> str:
    return ', '.join(map(repr, names[:5])) + ', ...' * (len(names) > 5)
