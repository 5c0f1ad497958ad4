from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, Adj, OptTensor, torch_sparse
from torch_geometric.utils import scatter

from lgmrec_pyg.ops.cpp_spmm import can_run, cpp_spmm
from lgmrec_pyg.ops.csr import CSR, to_csr, transposed
from lgmrec_pyg.ops.pairing import is_transpose


@torch.compiler.disable  # Sparse layouts end in errors inside of the compiler.
def spmm(
    adj: Adj,
    x: Tensor,
    weight: OptTensor = None,
    reverse: Adj | None = None,
    size: tuple[int, int] | None = None,
    kernel: str = 'auto',
) -> Tensor:
    r"""Sums the features of all in-neighbors,

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{j \in \mathcal{N}(i)} w_{ji} \,
        \mathbf{x}_j,

    with the fastest kernel for the device and width at hand.

    In contrast to :func:`torch_geometric.utils.spmm`, the backward pass never
    transposes the matrix in the training loop: the gradient is a product with
    :obj:`reverse`, which a bipartite graph stores anyway. Edge weights are
    constants unless they require gradients, in which case the
    :obj:`"scatter"` kernel is used.

    Args:
        adj (SparseTensor or torch.Tensor or EdgeIndex): The adjacency: a sparse
            matrix of shape :math:`(N, M)` (``adj_t``), or an edge index.
        x (torch.Tensor): Source features of shape :math:`(M, F)`.
        weight (torch.Tensor, optional): Edge weights for an edge index.
            (default: :obj:`None`)
        reverse (SparseTensor or torch.Tensor, optional): The transpose of
            :obj:`adj`, values included. If not given, or found to be something
            else (see :func:`~lgmrec_pyg.ops.is_transpose`), the transpose is
            read from the caches of :obj:`adj`, or sorted out anew in every
            backward pass. (default: :obj:`None`)
        size (Tuple[int, int], optional): :math:`(N, M)`, for a plain edge
            index. (default: :obj:`None`)
        kernel (str, optional): One of :obj:`"cpp"`, :obj:`"embedding_bag"`,
            :obj:`"sparse_reduce"`, :obj:`"sparse_mm"`, :obj:`"torch_sparse"`,
            :obj:`"edge_index"`, :obj:`"scatter"`, :obj:`"triton"`; the choice
            of :obj:`"auto"` follows :func:`choose_kernel`.
            (default: :obj:`"auto"`)

    Shapes:
        - **input:** source features :math:`(M, F)`
        - **output:** destination features :math:`(N, F)`

    Raises:
        ValueError: If the kernel is unknown or cannot run here.
    """
    csr = to_csr(adj, weight, size)
    if x.dim() != 2 or x.size(0) != csr.size[1]:
        raise ValueError(
            f"'x' needs to be of shape ({csr.size[1]}, *) to be propagated over an "
            f'adjacency of shape {tuple(csr.size)} (got {tuple(x.size())})'
        )
    if csr.value is not None and csr.value.requires_grad:
        return _scatter(csr, x)
    if kernel == 'auto':
        kernel = choose_kernel(x)
    if kernel not in KERNELS:
        raise ValueError(
            f"'kernel' needs to be one of {list(KERNELS)} (got '{kernel}')"
        )

    def backward_csr() -> CSR:
        if reverse is not None and is_transpose(adj, reverse):
            return to_csr(reverse)
        return transposed(adj, csr, weight)

    return _SpMM.apply(x, csr, backward_csr, KERNELS[kernel])


def choose_kernel(x: Tensor) -> str:
    r"""The kernel that the ``spmm`` benchmark measured to be the fastest.

    On CPU, that is :func:`torch.nn.functional.embedding_bag`, but the product in C++
    of this package for up to 16 columns and for double precision (or, where it was
    not built, the product of PyTorch in the latter case). On other devices, it is
    the library product of PyTorch (cuSPARSE on CUDA).
    """
    if not x.is_cpu:
        return 'sparse_mm'
    double = x.dtype == torch.float64
    if can_run(x) and (double or x.size(1) <= MAX_CPP_COLUMNS):
        return 'cpp'
    return 'sparse_reduce' if double else 'embedding_bag'


class _SpMM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        csr: CSR,
        backward_csr: Callable[[], CSR],
        kernel: Callable[[CSR, Tensor], Tensor],
    ) -> Tensor:
        ctx.backward_csr, ctx.kernel = backward_csr, kernel
        return _run(kernel, csr, x.detach())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return _run(ctx.kernel, ctx.backward_csr(), grad), None, None, None


def _run(kernel: Callable[[CSR, Tensor], Tensor], csr: CSR, x: Tensor) -> Tensor:
    if csr.col.numel() == 0 or x.size(1) == 0:
        return x.new_zeros(csr.size[0], x.size(1))
    if csr.value is not None and csr.value.dtype != x.dtype:
        csr = csr._replace(value=csr.value.to(x.dtype))
    return kernel(csr, x.contiguous())


def _embedding_bag(csr: CSR, x: Tensor) -> Tensor:
    return F.embedding_bag(
        csr.col,
        x,
        csr.rowptr,
        mode='sum',
        per_sample_weights=csr.value,
        include_last_offset=True,
    )


def _torch_csr(csr: CSR, x: Tensor) -> Tensor:
    value = x.new_ones(csr.col.numel()) if csr.value is None else csr.value
    return torch.sparse_csr_tensor(
        csr.rowptr, csr.col, value, csr.size, check_invariants=False
    )


def _sparse_mm(csr: CSR, x: Tensor) -> Tensor:
    return torch.sparse.mm(_torch_csr(csr, x), x)


def _sparse_reduce(csr: CSR, x: Tensor) -> Tensor:
    return torch.sparse.mm(_torch_csr(csr, x), x, 'sum')


def _torch_sparse(csr: CSR, x: Tensor) -> Tensor:
    if not WITH_TORCH_SPARSE:
        raise ValueError(
            "kernel 'torch_sparse' needs the package: "
            'pip install --no-build-isolation torch-scatter torch-sparse'
        )
    if csr.col.dtype != torch.int64:
        raise ValueError(
            f"kernel 'torch_sparse' needs indices in int64 (got {csr.col.dtype})"
        )
    adj = torch_sparse.SparseTensor(
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


def _scatter(csr: CSR, x: Tensor) -> Tensor:
    out = x[csr.col]
    if csr.value is not None:
        out = out * csr.value.view(-1, 1)
    return scatter(out, csr.row, dim=0, dim_size=csr.size[0], reduce='sum')


def _triton(csr: CSR, x: Tensor) -> Tensor:
    from lgmrec_pyg.ops.triton_spmm import triton_spmm

    return triton_spmm(csr, x)


MAX_CPP_COLUMNS = 16
KERNELS: dict[str, Callable[[CSR, Tensor], Tensor]] = {
    'cpp': cpp_spmm,
    'embedding_bag': _embedding_bag,
    'sparse_reduce': _sparse_reduce,
    'sparse_mm': _sparse_mm,
    'torch_sparse': _torch_sparse,
    'edge_index': _edge_index,
    'scatter': _scatter,
    'triton': _triton,
}
