r"""Ids as PyG carries them along: its loaders index tensors alone, and no tensor
holds strings, so these are encoded.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

#: What ids of users and items come in: strings or integers, one a node.
Ids: TypeAlias = Sequence[str] | Sequence[int] | np.ndarray | Tensor

WIDTH = 16
INTEGER, MISSING = b'\xfe', b'\xff'


def set_ids(data: HeteroData, node_type: str, ids: Ids) -> None:
    r"""Puts ids on the nodes of a graph as :obj:`data[node_type].ids`, a tensor
    with a row per node that PyG's loaders and transforms carry along, see
    :func:`encode_ids`.

    Args:
        data (HeteroData): The graph.
        node_type (str): The node type, *e.g.*, :obj:`"item"`.
        ids (Sequence): The ids.

    Raises:
        ValueError: See :func:`as_ids`.
    """
    data[node_type].ids = encode_ids(ids)
    align_ids([data])  # So that they stay together in a homogeneous graph.


def align_ids(graphs: Sequence[HeteroData]) -> None:
    r"""Gives the ids of several graphs one width, without which PyG cannot
    concatenate them in a :class:`~torch_geometric.data.Batch` or a
    :class:`~torch_geometric.loader.DataLoader`. If some ids are strings, integers are
    encoded as well. What :func:`get_ids` returns does not change.

    Args:
        graphs (Sequence[HeteroData]): The graphs, which are changed in place.
    """
    stores = [store for data in graphs for store in data.node_stores]
    stores = [store for store in stores if isinstance(store.get('ids'), Tensor)]
    width = max((x.ids.size(1) for x in stores if _is_encoded(x.ids)), default=0)
    for store in stores:
        if width > 0 and store.ids.dtype == torch.int64:
            store.ids = _as_bytes(store.ids)
        if _is_encoded(store.ids):
            padding = 0, width - store.ids.size(1)
            store.ids = torch.nn.functional.pad(store.ids, padding)


def get_ids(data: HeteroData, node_type: str) -> list[Any] | None:
    r"""Returns the ids of the nodes of a graph, or :obj:`None` if they have none.

    Args:
        data (HeteroData): The graph, or a part of it.
        node_type (str): The node type, *e.g.*, :obj:`"item"`.
    """
    ids = data[node_type].get('ids')
    return None if ids is None else as_ids(ids, f'{node_type}.ids').tolist()


def encode_ids(ids: Ids) -> Tensor:
    r"""Returns ids as a tensor: integers as they are, strings as their bytes in
    UTF-8, filled up with zeros. Next to strings, :func:`set_ids` encodes integers too.

    Args:
        ids (Sequence): The ids, see :func:`as_ids`.

    Shapes:
        - **output:** :math:`(N)` of type :obj:`int64`, or :math:`(N, W)` of type
          :obj:`uint8`, where :math:`W` is a multiple of 16

    Raises:
        ValueError: See :func:`as_ids`.
    """
    values = as_ids(ids)
    if values.dtype.kind == 'i':
        return torch.from_numpy(values.copy())
    parts = [value.encode() for value in values]
    width = -(-max(map(len, parts), default=1) // WIDTH) * WIDTH
    array = np.array(parts, dtype=f'S{width}')
    return torch.from_numpy(array.view(np.uint8).reshape(len(parts), width))


def decode_ids(ids: Tensor) -> list[Any]:
    r"""Returns the ids that :func:`encode_ids` encoded, and :obj:`None` for what
    :meth:`~torch_geometric.data.HeteroData.to_homogeneous` gives to nodes that
    have no strings as ids.

    Args:
        ids (torch.Tensor): The encoded ids.
    """
    array = ids.cpu().contiguous().numpy()
    if array.ndim != 2:
        return array.tolist()
    parts = array.view(f'S{array.shape[1]}').ravel().tolist()
    # No text in UTF-8 has these bytes.
    out = [None if x[:1] in (INTEGER, MISSING) else x.decode() for x in parts]
    rows = (array[:, 0] == ord(INTEGER)).nonzero()[0]
    numbers = array[rows, 1:9].copy().view('<i8').ravel()
    for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
        out[row] = number
    return out


def as_ids(ids: Any, name: str = 'ids') -> np.ndarray:
    r"""Returns ids as an array, either of data type :obj:`int64` or of
    :class:`str` objects.

    Args:
        ids (Sequence): The ids, which may repeat: a list, tuple, range, NumPy
            array, :class:`pandas.Series` or tensor of strings or of integers, or
            the tensor of :func:`encode_ids`. Whole floating-point and decimal
            numbers count as integers, and UUIDs and bytes of UTF-8 as strings.
        name (str, optional): What error messages call them.
            (default: :obj:`"ids"`)

    Raises:
        ValueError: If an id is missing, empty, no valid Unicode, neither a string
            nor an integer, or ends in a null character, or if strings and integers
            are mixed.
    """
    if isinstance(ids, Tensor):
        ids = decode_ids(ids) if _is_encoded(ids) else ids.detach().cpu().numpy()
    is_array = isinstance(ids, (np.ndarray, pd.Series, pd.Index))
    if ids.ndim != 1 if is_array else not isinstance(ids, (list, tuple, range)):
        raise ValueError(
            f"'{name}' needs to be a one-dimensional sequence of ids (got "
            f'{type(ids).__name__} {ids!r:.50})'
        )
    if is_array and isinstance(ids.dtype, np.dtype) and ids.dtype.kind == 'i':
        return np.asarray(ids, dtype=np.int64)
    values = pd.Series(list(ids), dtype=object).to_numpy()
    kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind not in ('integer', 'string', 'empty'):
        values = pd.Series(map(_as_plain, values), dtype=object).to_numpy()
        kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind == 'integer':
        return _as_int64(values, name)
    if kind not in ('string', 'empty'):
        raise _not_ids(values, name)
    out = np.frompyfunc(str, 1, 1)(values)
    _check_text(out, name)
    return out


def kind_of(value: Any) -> str:
    r"""Returns whether a value is a :obj:`"string"`, an :obj:`"integer"`, or
    something :obj:`"other"`, as ids must not be.

    Args:
        value (Any): The value.
    """
    value = _as_plain(value)
    if isinstance(value, str):
        return 'string'
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return 'integer' if is_int else 'other'


def _as_plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes) and b'\0' not in value:
        with suppress(UnicodeDecodeError):
            return value.decode()
    # Larger ones may stand for one of several integers.
    is_float = isinstance(value, (float, np.floating))
    limit = 2.0 ** (np.finfo(type(value)).nmant + 1) if is_float else np.inf
    is_number = (is_float or isinstance(value, Decimal)) and math.isfinite(value)
    is_whole = is_number and value % 1 == 0 and abs(value) < limit
    return int(value) if is_whole else value


def _as_bytes(ids: Tensor) -> Tensor:
    digits = ids.cpu().numpy().astype('<i8').view(np.uint8).reshape(-1, 8)
    out = ids.new_zeros((ids.size(0), WIDTH), dtype=torch.uint8)
    out[:, 0] = ord(INTEGER)
    out[:, 1:9] = torch.from_numpy(digits)
    return out


def _is_encoded(ids: Any) -> bool:
    return isinstance(ids, Tensor) and ids.dim() == 2 and ids.dtype == torch.uint8


def _as_int64(values: np.ndarray, name: str) -> np.ndarray:
    try:
        return values.astype(np.int64)
    except OverflowError as error:
        raise ValueError(
            f"'{name}' needs to hold integers of at most 64 bits ({error})"
        ) from None


def _check_text(values: np.ndarray, name: str) -> None:
    if (values == '').any():
        raise ValueError(
            f"'{name}' needs to hold non-empty ids (got '' in position "
            f'{(values == "").argmax()})'
        )
    try:
        text = ''.join(values).encode()
        if b'\0' in text and any(value.endswith('\0') for value in values):
            raise ValueError(
                f"'{name}' needs to hold ids that do not end in a null character"
            )
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        place = next(i for i, value in enumerate(values) if half in value)
        raise ValueError(
            f"'{name}' needs to hold ids of valid Unicode (got {values[place]!r} in "
            f'position {place}, with half of a surrogate pair)'
        ) from None


def _not_ids(values: np.ndarray, name: str) -> ValueError:
    kinds = np.array([kind_of(value) for value in values], dtype=object)
    kinds[pd.isna(values)] = 'missing'
    for kind, needs in (
        ('missing', 'an id in every position'),
        ('other', 'strings or integers'),
    ):
        wrong = kinds == kind
        if wrong.any():
            value = values[wrong.argmax()]
            return ValueError(
                f"'{name}' needs to hold {needs} (got {value!r} of type "
                f'{type(value).__name__} in position {wrong.argmax()}, and '
                f'{wrong.sum()} such values in total)'
            )
    place = (kinds != kinds[0]).argmax()
    return ValueError(
        f"'{name}' needs to hold either strings or integers, not both (got "
        f'{values[0]!r} in position 0 and {values[place]!r} in position {place})'
    )
