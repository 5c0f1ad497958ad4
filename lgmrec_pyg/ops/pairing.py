from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary
from torch_geometric import EdgeIndex
from torch_geometric.typing import Adj, SparseTensor

from lgmrec_pyg.ops.csr import CSR, to_csr

_KNOWN: WeakIdKeyDictionary = WeakIdKeyDictionary()


def is_transpose(adj: Adj, reverse: Adj) -> bool:
    r"""Whether two sparse matrices are each other's transpose, values included.

    Compares them once and remembers the answer for as long as both live, since
    a training loop asks in every step.

    Args:
        adj (SparseTensor or torch.Tensor): A sparse matrix.
        reverse (SparseTensor or torch.Tensor): The supposed transpose.
    """
    if _is_edge_index(adj) or _is_edge_index(reverse):
        return False
    key, other = _identity(adj), _identity(reverse)
    known: tuple[Any, bool] | None = _KNOWN.get(key)
    if known is not None and known[0]() is other:
        return known[1]
    # Transposing sorts the entries of a row, which either matrix may hold unsorted.
    answer = _equal(to_csr(adj).t(), to_csr(reverse).t().t())
    _KNOWN[key] = (ref(other), answer)
    return answer


def _is_edge_index(adj: Adj) -> bool:
    if isinstance(adj, SparseTensor):
        return False
    return isinstance(adj, EdgeIndex) or adj.layout == torch.strided


def _identity(adj: Adj) -> Tensor:
    # A SparseTensor is a view that comes and goes; the tensors in it stay.
    if not isinstance(adj, SparseTensor):
        return adj
    return adj.storage.value() if adj.has_value() else adj.storage.col()


def _equal(a: CSR, b: CSR) -> bool:
    if a.size != b.size or (a.value is None) != (b.value is None):
        return False
    if not (_same(a.rowptr, b.rowptr) and _same(a.col, b.col)):
        return False
    if a.value is None or b.value is None:
        return True
    return a.value.dtype == b.value.dtype and torch.allclose(a.value, b.value, 1e-6, 0)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.size() == b.size() and bool((a == b).all())
