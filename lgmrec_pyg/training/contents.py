import hashlib
from collections.abc import Iterator
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.typing import SparseTensor

from lgmrec_pyg.storage.summary import same_values, summarize

PLAIN = (int, float, complex, str, bytes, range, slice, type(None))


def contents(value: Any) -> dict[str, Any]:
    r"""Returns what tells tensors, arrays, plain values, and containers of them,
    apart, as plain types: a digest of all that is exact, and a summary of each
    floating-point tensor, since their rounding may differ by machine. Functions
    count by name, and other objects by type.

    Args:
        value (Any): The value.
    """
    digest, summaries = hashlib.sha256(), []
    for part in _parts(value):
        if isinstance(part, Tensor):
            summaries.append(summarize(part))
        else:
            digest.update(len(part).to_bytes(8, 'little'))
            digest.update(part)
    return {'sha256': digest.hexdigest(), 'summaries': summaries}


def is_contents(value: Any) -> bool:
    r"""Returns whether a value comes from :meth:`contents`.

    Args:
        value (Any): The value.
    """
    return isinstance(value, dict) and value.keys() == {'sha256', 'summaries'}


def same_contents(expected: dict[str, Any], got: dict[str, Any]) -> bool:
    r"""Returns whether two values hold the same but for rounding.

    Args:
        expected (Dict[str, Any]): The :meth:`contents` of the first one.
        got (Dict[str, Any]): The :meth:`contents` of the second one.
    """
    if expected['sha256'] != got['sha256']:
        return False
    pairs = zip(expected['summaries'], got['summaries'], strict=True)
    return all(same_values(a, b) for a, b in pairs)


def _parts(value: Any) -> Iterator[bytes | Tensor]:
    if isinstance(value, dict):
        yield f'dict of {len(value)}'.encode()
        for key in sorted(value, key=_digest):
            yield from _parts(key)
            yield from _parts(value[key])
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield f'{type(value).__name__} of {len(value)}'.encode()
        is_set = isinstance(value, (set, frozenset))
        for entry in sorted(value, key=_digest) if is_set else value:
            yield from _parts(entry)
    elif isinstance(value, (Tensor, SparseTensor)):
        yield from _tensor_parts(value)
    elif isinstance(value, (np.ndarray, np.generic)):
        yield from _array_parts(np.asarray(value))
    elif isinstance(value, Enum):
        yield type(value).__qualname__.encode()
        yield from _parts((value.name, value.value))
    elif isinstance(value, partial):
        yield b'partial'
        yield from _parts((value.func, value.args, value.keywords))
    elif isinstance(value, (*PLAIN, torch.dtype, torch.device)):
        yield repr(value).encode()
    else:
        yield f'{getattr(value, "__qualname__", type(value).__qualname__)}'.encode()


def _digest(value: Any) -> str:
    return contents(value)['sha256']


def _tensor_parts(value: Any) -> Iterator[bytes | Tensor]:
    is_sparse = isinstance(value, SparseTensor)
    yield f'tensor of {value.sizes() if is_sparse else list(value.shape)}'.encode()
    for tensor in _strided(value):
        yield f'{tensor.dtype} of {list(tensor.shape)}'.encode()
        if tensor.is_floating_point():
            yield tensor
        else:
            yield tensor.cpu().contiguous().numpy().tobytes()


def _array_parts(array: np.ndarray) -> Iterator[bytes | Tensor]:
    native = array.dtype.newbyteorder('=')
    yield f'{native} of {array.shape}'.encode()
    if native.hasobject:
        yield from _parts(array.tolist())
    elif native.kind == 'f':
        yield torch.from_numpy(array.astype(f'f{min(native.itemsize, 8)}', order='C'))
    else:
        yield array.astype(native).tobytes()


def _strided(value: Any) -> list[Tensor]:
    if isinstance(value, SparseTensor):
        return [x for x in value.csr() if x is not None]
    if isinstance(value, EdgeIndex):
        return [value.as_tensor()]
    if value.layout == torch.sparse_csr:
        return [value.crow_indices(), value.col_indices(), value.values()]
    if value.layout == torch.sparse_csc:
        return [value.ccol_indices(), value.row_indices(), value.values()]
    if value.layout == torch.sparse_coo:
        value = value.coalesce()
        return [value.indices(), value.values()]
    return [value.detach()]
