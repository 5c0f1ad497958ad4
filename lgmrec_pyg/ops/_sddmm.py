from typing import Any

import torch
from torch import Tensor

from lgmrec_pyg.ops._extension import register
from lgmrec_pyg.ops.edge_pattern import EdgePattern


def sddmm(edges: EdgePattern, x: Tensor, y: Tensor) -> Tensor:
    r"""Inner products along edges, a sampled product of two dense matrices,

    .. math::
        e_{ij} = \mathbf{x}_i^{\top} \mathbf{y}_j, \qquad j \in \mathcal{N}(i)

    Rows are not gathered for every edge, neither here nor for gradients, which are
    products by :func:`~lgmrec_pyg.ops.spmm`.

    Args:
        edges (EdgePattern): The edges between :math:`N` destination and :math:`M`
            source nodes.
        x (torch.Tensor): Destination features of shape :math:`(N, F)`.
        y (torch.Tensor): Source features of shape :math:`(M, F)`.

    Returns:
        torch.Tensor: One entry an edge, :math:`(|\mathcal{E}|)`, in the order of
        :obj:`edges`.

    Raises:
        ValueError: If the features are not of these shapes.
    """
    for name, value, length in zip('xy', (x, y), edges.size, strict=True):
        if value.dim() != 2 or value.size(0) != length or value.size(1) != x.size(1):
            raise ValueError(
                f"'{name}' needs to be of shape ({length}, {x.size(-1)}) along these "
                f'edges (got {tuple(value.size())})'
            )
    return torch.ops.lgmrec_pyg.sddmm(x, y, *edges)


def _sddmm(
    x: Tensor, y: Tensor, rowptr: Tensor, col: Tensor, *others: Tensor
) -> Tensor:
    if col.numel() == 0 or x.size(1) == 0:
        return x.new_zeros(col.numel())
    if x.dtype not in (torch.float32, torch.float64):
        return _sddmm(x.float(), y.float(), rowptr, col).to(x.dtype)
    zeros = x.new_zeros(col.numel())
    size = (x.size(0), y.size(0))
    sampled = torch.sparse_csr_tensor(rowptr, col, zeros, size, check_invariants=False)
    return torch.sparse.sampled_addmm(sampled, x, y.to(x.dtype).t()).values()


def _fake_sddmm(
    x: Tensor, y: Tensor, rowptr: Tensor, col: Tensor, *others: Tensor
) -> Tensor:
    return x.new_empty(col.size(0))


def _gradient_of_sddmm(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, y, *tensors = ctx.saved_tensors
    edges = EdgePattern(*tensors)
    grad_x = grad_y = None
    if ctx.needs_input_grad[0]:
        grad_x = torch.ops.lgmrec_pyg.valued_spmm(grad, y, *edges)
    if ctx.needs_input_grad[1]:
        entries = grad[edges.perm_t]
        grad_y = torch.ops.lgmrec_pyg.valued_spmm(entries, x, *edges.t())
    return grad_x, grad_y, *(None for _ in tensors)


def _valued_spmm(
    value: Tensor, x: Tensor, rowptr: Tensor, col: Tensor, *others: Tensor
) -> Tensor:
    r"""The product of :func:`~lgmrec_pyg.ops.spmm` with values that have gradients."""
    # The transpose is read for a gradient only, and there is none below this operator.
    transpose = rowptr, col, None
    return torch.ops.lgmrec_pyg.spmm(x, rowptr, col, value, *transpose, 'auto')


def _fake_valued_spmm(
    value: Tensor, x: Tensor, rowptr: Tensor, *others: Tensor
) -> Tensor:
    return x.new_empty(rowptr.size(0) - 1, x.size(1))


def _gradient_of_valued_spmm(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    value, x, *tensors = ctx.saved_tensors
    edges = EdgePattern(*tensors)
    grad_value = grad_x = None
    if ctx.needs_input_grad[0]:
        grad_value = torch.ops.lgmrec_pyg.sddmm(grad, x, *edges).to(value.dtype)
    if ctx.needs_input_grad[1]:
        entries = value[edges.perm_t]
        grad_x = torch.ops.lgmrec_pyg.valued_spmm(entries, grad, *edges.t())
    return grad_value, grad_x, *(None for _ in tensors)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


EDGES = ', '.join(f'Tensor {name}' for name in EdgePattern._fields)

register(
    f'sddmm(Tensor x, Tensor y, {EDGES}) -> Tensor',
    _sddmm,
    _fake_sddmm,
    _gradient_of_sddmm,
    _keep,
    key='CompositeExplicitAutograd',
)
register(
    f'valued_spmm(Tensor value, Tensor x, {EDGES}) -> Tensor',
    _valued_spmm,
    _fake_valued_spmm,
    _gradient_of_valued_spmm,
    _keep,
    key='CompositeExplicitAutograd',
    half=True,
)
