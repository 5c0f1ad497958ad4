r"""Ways to multiply a sparse matrix that the library does not use, since others are
faster where it was measured, and the way to measure all of them alike.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch_geometric.utils
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor, torch_sparse

from lgmrec_pyg.ops import CSR, Adjacency, spmm
from lgmrec_pyg.ops._spmm import KERNELS

Product = Callable[[CSR, Tensor], Tensor]


def propagation(kernel: str, adj: Tensor, reverse: Tensor) -> Callable[[Tensor], Any]:
    r"""A differentiable product with a CSR tensor by one kernel.

    Args:
        kernel (str): One of the library's, of :obj:`CANDIDATES` or of
            :obj:`YARDSTICKS`.
        adj (torch.Tensor): The matrix.
        reverse (torch.Tensor): Its transpose.
    """
    if kernel == 'coo':
        coo = adj.to_sparse_coo()
        return lambda x: torch.sparse.mm(coo, x)
    if kernel == 'pyg':
        matrix = adj
        if WITH_TORCH_SPARSE and adj.crow_indices().dtype == torch.int64:
            matrix = SparseTensor.from_torch_sparse_csr_tensor(adj)
            matrix.fill_cache_()
        return lambda x: torch_geometric.utils.spmm(matrix, x)
    pair = Adjacency(_csr(adj), _csr(reverse))
    if kernel in KERNELS:
        return lambda x: spmm(pair, x, kernel=kernel)
    product = CANDIDATES[kernel]
    return lambda x: _Candidate.apply(x, pair, product)


def _csr(adj: Tensor) -> CSR:
    size = (adj.size(0), adj.size(1))
    return CSR(adj.crow_indices(), adj.col_indices(), adj.values(), size)


class _Candidate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, adj: Adjacency, product: Product) -> Tensor:
        ctx.adj, ctx.product = adj, product
        return product(adj.csr, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.product(ctx.adj.csr_t, grad.contiguous()), None, None


def _torch_sparse(csr: CSR, x: Tensor) -> Tensor:
    adj = SparseTensor(
        rowptr=csr.rowptr,
        col=csr.col,
        value=csr.value,
        sparse_sizes=csr.size,
        is_sorted=True,
        trust_data=True,
    )
    return torch_sparse.matmul(adj, x)


def _edge_index(csr: CSR, x: Tensor) -> Tensor:
    edge_index = EdgeIndex(
        torch.stack([csr.row, csr.col]), sparse_size=csr.size, sort_order='row'
    )
    edge_index._indptr = csr.rowptr
    return edge_index.matmul(x, input_value=csr.value)


def _triton(csr: CSR, x: Tensor) -> Tensor:
    from benchmarks.triton_spmm import triton_spmm

    return triton_spmm(csr, x)


CANDIDATES: dict[str, Product] = {
    'torch_sparse': _torch_sparse,
    'edge_index': _edge_index,
    'triton': _triton,
}
# How propagation is written elsewhere, for comparison.
YARDSTICKS = ['coo', 'pyg']


def kernels(device: str, int64: bool = True) -> list[str]:
    r"""The names of all that run on a device, with 32 or 64-bit indices."""
    names = [*KERNELS, *CANDIDATES, *YARDSTICKS]
    absent = set() if device == 'cuda' else {'triton'}
    if not (WITH_TORCH_SPARSE and int64):
        absent.add('torch_sparse')
    return [name for name in names if name not in absent]
