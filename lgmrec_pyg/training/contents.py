import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.typing import SparseTensor

from lgmrec_pyg.storage.summary import same_values, summarize


def contents(value: Any) -> dict[str, Any]:
    r"""Returns what tells tensors, and containers of them, apart, as plain types:
    a digest of all that is exact, and a summary of each floating-point tensor,
    since their rounding may differ by machine. Of other objects, only types count.

    Args:
        value (Any): The value.
    """
    digest, summaries = hashlib.sha256(), []
    for part in _parts(value):
        if isinstance(part, Tensor):
            summaries.append(summarize(part))
        else:
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
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, (list, tuple)):
        yield f'{type(value).__name__} of {len(value)}'.encode()
        for entry in value:
            yield from _parts(entry)
    elif isinstance(value, (Tensor, SparseTensor)):
        for tensor in _strided(value):
            yield f'{tensor.dtype} of {list(tensor.shape)}'.encode()
            if tensor.is_floating_point():
                yield tensor
            else:
                yield tensor.cpu().contiguous().numpy().tobytes()
    elif isinstance(value, (int, float, str, type(None))):
        yield repr(value).encode()
    else:
        yield f'{getattr(value, "__qualname__", type(value).__qualname__)}'.encode()


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
