from typing import Any

import torch
from torch import Tensor


def matmul(a: Tensor, b: Tensor) -> Tensor:
    r"""The product :math:`\mathbf{A} \mathbf{B}` of two matrices, by whatever library
    is the fastest for it.

    In single precision, PyTorch multiplies by MKL, which takes no AVX-512 on CPUs of
    other makers than its own. oneDNN does, and is more than twice as fast there;
    PyTorch calls it for compiled models, and this function whenever the rows of
    :obj:`a` are contiguous. Under autocast, PyTorch chooses.

    Args:
        a (torch.Tensor): A matrix of shape :math:`(M, K)`.
        b (torch.Tensor): A matrix of shape :math:`(K, N)`.
    """
    fits = a.dtype == b.dtype == torch.float32 and a.dim() == b.dim() == 2
    fits = fits and a.is_cpu and b.is_cpu and not torch.is_autocast_enabled('cpu')
    if torch.compiler.is_compiling() or not fits:
        return a @ b  # A compiler chooses for itself.
    return _MatMul.apply(a, b)


class _MatMul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _product(a, b)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        return (
            matmul(grad, b.t()) if ctx.needs_input_grad[0] else None,
            matmul(a.t(), grad) if ctx.needs_input_grad[1] else None,
        )


def _product(a: Tensor, b: Tensor) -> Tensor:
    fits = a.size(1) == b.size(0) and a.numel() * b.numel() > 0
    if not (fits and a.is_contiguous() and HAS_ONEDNN):
        return a @ b
    return torch.ops.mkldnn._linear_pointwise(a, b.t(), None, 'none', [], '')


HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(
    torch.ops.mkldnn, '_linear_pointwise'
)
