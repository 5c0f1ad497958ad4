from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch_geometric.typing import Adj, OptTensor
from torch_geometric.utils import scatter

from lgmrec_pyg.ops._extension import has_extension, register
from lgmrec_pyg.ops.adjacency import Adjacency
from lgmrec_pyg.ops.csr import CSR, to_csr
from lgmrec_pyg.ops.edge_pattern import EdgePattern


def spmm(
    adj: Adjacency | EdgePattern | Adj,
    x: Tensor,
    weight: OptTensor = None,
    size: tuple[int, int] | None = None,
    kernel: str = 'auto',
) -> Tensor:
    r"""Sums the features of all in-neighbors,

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{j \in \mathcal{N}(i)} w_{ji} \,
        \mathbf{x}_j,

    with the fastest kernel for the device and width at hand.

    In contrast to :func:`torch_geometric.utils.spmm`, the backward pass never
    transposes the matrix in the training loop: the gradient is a product with the
    transpose that an :class:`~lgmrec_pyg.ops.Adjacency` holds. Gradients of edge
    weights, where they are required, are inner products along edges, see
    :func:`~lgmrec_pyg.ops.sddmm`. Derivatives in forward mode take the
    :obj:`"scatter"` kernel.

    Args:
        adj (Adjacency or EdgePattern or SparseTensor or torch.Tensor or EdgeIndex):
            The adjacency of :math:`N` destination and :math:`M` source nodes: an
            :class:`~lgmrec_pyg.ops.Adjacency`, or for learned weights an
            :class:`~lgmrec_pyg.ops.EdgePattern`. Others are compressed anew in every
            call, see :meth:`Adjacency.from_adj`.
        x (torch.Tensor): Source features of shape :math:`(M, F)`.
        weight (torch.Tensor, optional): Edge weights for an edge index or pattern.
            (default: :obj:`None`)
        size (Tuple[int, int], optional): :math:`(N, M)`, for a plain edge
            index. (default: :obj:`None`)
        kernel (str, optional): One of :obj:`"cpp"`, :obj:`"embedding_bag"`,
            :obj:`"sparse_reduce"`, :obj:`"sparse_mm"` and :obj:`"scatter"`; the
            choice of :obj:`"auto"` follows :func:`choose_kernel`, and counts for all
            weights that require gradients. (default: :obj:`"auto"`)

    Shapes:
        - **input:** source features :math:`(M, F)`
        - **output:** destination features :math:`(N, F)`

    Raises:
        ValueError: If the kernel is unknown or cannot run here.
    """
    edges = adj if isinstance(adj, EdgePattern) else None
    if edges is not None:
        csr = edges.csr(weight)
        adj = Adjacency(csr, csr)  # The pattern has the transpose.
    elif not isinstance(adj, Adjacency):
        if not (x.requires_grad and torch.is_grad_enabled()):
            csr = to_csr(adj, weight, size)
            adj = Adjacency(csr, csr)  # Without gradients, no transpose is needed.
        else:
            adj = Adjacency.from_adj(adj, weight, size)
    csr, csr_t = adj
    if x.dim() != 2 or x.size(0) != csr.size[1]:
        raise ValueError(
            f"'x' needs to be of shape ({csr.size[1]}, *) to be propagated over an "
            f'adjacency of shape {tuple(csr.size)} (got {tuple(x.size())})'
        )
    value = csr.value
    if has_tangent(x) or (value is not None and has_tangent(value)):
        return KERNELS['scatter'](csr, x)
    if kernel != 'auto' and kernel not in KERNELS:
        raise ValueError(
            f"'kernel' needs to be 'auto' or one of {list(KERNELS)} (got '{kernel}')"
        )
    learned = value is not None and value.requires_grad and torch.is_grad_enabled()
    if edges is None and learned:
        edges = EdgePattern.from_csr(csr)
    if edges is not None:
        value = x.new_ones(csr.col.numel()) if value is None else value
        return torch.ops.lgmrec_pyg.valued_spmm(value, x, *edges)
    return torch.ops.lgmrec_pyg.spmm(x, *csr[:3], *csr_t[:3], kernel)


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
    narrow = x.dtype == torch.float32 and x.size(1) <= MAX_CPP_COLUMNS
    if has_extension() and (double or narrow):
        return 'cpp'
    return 'sparse_reduce' if double else 'embedding_bag'


def has_tangent(x: Tensor) -> bool:
    r"""Whether derivatives are taken in forward mode, which no operator here has."""
    if torch.compiler.is_compiling():
        return False
    return forward_ad.unpack_dual(x).tangent is not None


def _spmm(
    x: Tensor,
    rowptr: Tensor,
    col: Tensor,
    value: OptTensor,
    rowptr_t: Tensor,
    col_t: Tensor,
    value_t: OptTensor,
    kernel: str,
) -> Tensor:
    size = (rowptr.numel() - 1, x.size(0))
    if col.numel() == 0 or x.size(1) == 0:
        return x.new_zeros(size[0], x.size(1))
    if value is not None:
        value = value.to(x.dtype)
    if kernel == 'auto':
        kernel = choose_kernel(x)
    return KERNELS[kernel](CSR(rowptr, col, value, size), x.contiguous())


def _fake(x: Tensor, rowptr: Tensor, *args: Any) -> Tensor:
    return x.new_empty(rowptr.size(0) - 1, x.size(1))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, rowptr, col, value, rowptr_t, col_t, value_t, ctx.kernel = inputs
    ctx.save_for_backward(rowptr_t, col_t, value_t, rowptr, col, value)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    grad_x = torch.ops.lgmrec_pyg.spmm(grad, *ctx.saved_tensors, ctx.kernel)
    return grad_x, None, None, None, None, None, None, None


def _cpp(csr: CSR, x: Tensor) -> Tensor:
    return torch.ops.lgmrec_pyg.csr_matmul(csr.rowptr, csr.col, csr.value, x)


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


def _scatter(csr: CSR, x: Tensor) -> Tensor:
    out = x[csr.col]
    if csr.value is not None:
        out = out * csr.value.to(x.dtype).view(-1, 1)
    return scatter(out, csr.row, dim=0, dim_size=csr.size[0], reduce='sum')


MAX_CPP_COLUMNS = 16
KERNELS: dict[str, Callable[[CSR, Tensor], Tensor]] = {
    'cpp': _cpp,
    'embedding_bag': _embedding_bag,
    'sparse_reduce': _sparse_reduce,
    'sparse_mm': _sparse_mm,
    'scatter': _scatter,
}

register(
    'spmm(Tensor x, Tensor rowptr, Tensor col, Tensor? value, Tensor rowptr_t, '
    'Tensor col_t, Tensor? value_t, str kernel) -> Tensor',
    _spmm,
    _fake,
    _backward,
    _setup_context,
    key='CompositeExplicitAutograd',
    half=True,
)
