from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from lgmrec_pyg.ops.cpp_infonce import cpp_infonce
from lgmrec_pyg.ops._extension import has_extension
from lgmrec_pyg.ops.matmul import HAS_ONEDNN, matmul

# Sum of logsumexp over anchors, with the gradients of anchors and keys.
Kernel = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor, Tensor]]


@torch.compiler.disable  # The gradients are computed by hand, or in native code.
def infonce(
    anchors: Tensor,
    keys: Tensor,
    index: Tensor,
    temperature: float = 0.2,
    backend: str = 'auto',
    masked: bool = False,
) -> Tensor:
    r"""The InfoNCE loss of a batch of anchors against all keys, summed,

    .. math::
        \mathcal{L} = \sum_{b=1}^{B} \left( \log \sum_{n=1}^{N} \exp \left(
        \frac{\mathbf{a}_b^{\top} \mathbf{k}_n}{\tau} \right) -
        \frac{\mathbf{a}_b^{\top} \mathbf{k}_{i_b}}{\tau} \right),

    exact, in memory for a few rows of the :math:`B \times N` similarities (all of
    them for temperatures under 0.025, where sums could underflow). The gradients
    are computed in the forward pass, where the exponentials are at hand.

    Inner products are cosines, at most 1, which bounds the exponents
    without a pass over their maximum; see :func:`unit_rows`. Sums over the batch,
    and so the loss, are in single precision at least.

    Args:
        anchors (torch.Tensor): Anchors of shape :math:`(B, K)`, so scaled that
            inner products with keys lie between -1 and 1.
        keys (torch.Tensor): Keys of shape :math:`(N, K)`.
        index (torch.Tensor): The key :math:`i_b` of every anchor, of shape
            :math:`(B)`.
        temperature (float, optional): The temperature :math:`\tau`.
            (default: :obj:`0.2`)
        backend (str, optional): :obj:`"plain"` stores all similarities;
            :obj:`"chunked"` goes through the batch in chunks;
            :obj:`"bfloat16"` does so with products in half precision;
            :obj:`"fused"` are loops in C++ (CPU, single precision);
            :obj:`"triton"` is one kernel on GPU. :obj:`"auto"` follows
            :func:`choose_backend`. (default: :obj:`"auto"`)
        masked (bool, optional): If set to :obj:`True`, the gradients of zeros in
            :obj:`keys` are of no use and may be zero, as where a dropout follows
            in the backward pass; :obj:`"fused"` is then faster the more zeros
            there are. (default: :obj:`False`)

    Raises:
        ValueError: If the backend is unknown or the shapes do not agree.
        ImportError: If the C++ extension is asked for but was not built.
    """
    check_backend(backend)
    if anchors.size(1) != keys.size(1) or anchors.dtype != keys.dtype:
        raise ValueError(
            f"'anchors' and 'keys' need to agree in width and type (got "
            f'{anchors.size(1)} and {keys.size(1)}, {anchors.dtype} and {keys.dtype})'
        )
    if index.numel() != anchors.size(0):
        raise ValueError(
            f"'index' needs to hold one key for each of {anchors.size(0)} anchors "
            f'(got {index.numel()})'
        )
    single = at_least_single(anchors.dtype)
    positive = (anchors * F.embedding(index, keys)).sum(dtype=single) / temperature
    if backend == 'auto':
        backend = choose_backend(anchors, masked)
    if backend == 'plain' or 2 / temperature > 80:  # Else all of a row underflows.
        total = (anchors @ keys.t() / temperature).to(single).logsumexp(dim=1).sum()
    else:
        bound = 1 / temperature
        kernel = BACKENDS[backend]
        if backend == 'fused':
            kernel = partial(_fused, masked=masked)
        total = _SumLogSumExp.apply(anchors * bound, keys, bound, kernel)
    return total - positive


def unit_rows(x: Tensor) -> Tensor:
    r"""Rows scaled to unit length; zero rows stay zero."""
    return F.normalize(x, eps=smallest_norm(x.dtype))


def smallest_norm(dtype: torch.dtype) -> float:
    r"""The norm under which a row counts as zero."""
    return max(1e-12, torch.finfo(dtype).tiny)


def at_least_single(dtype: torch.dtype) -> torch.dtype:
    r"""The type to sum in: a sum over a batch overflows in half precision."""
    return torch.promote_types(dtype, torch.float32)


def check_backend(backend: str) -> None:
    r"""Raises an error if there is no such backend."""
    options = ['auto', 'plain', *BACKENDS]
    if backend not in options:
        raise ValueError(f"'backend' needs to be one of {options} (got {backend!r})")


def choose_backend(anchors: Tensor, masked: bool = False) -> str:
    r"""The fastest backend for the device and width at hand, as measured by the
    ``contrast`` benchmark; see :func:`infonce` for the arguments.
    """
    single = anchors.dtype == torch.float32
    if single and anchors.is_cuda and find_spec('triton') is not None:
        return 'triton'
    fits = single and anchors.is_cpu and anchors.size(1) > 0
    wide = HAS_ONEDNN and not masked and anchors.size(1) > MAX_FUSED_COLUMNS
    return 'fused' if fits and has_extension() and not wide else 'chunked'


class _SumLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchors: Tensor, keys: Tensor, bound: float, kernel: Kernel
    ) -> Tensor:
        total, *grads = kernel(anchors.detach(), keys.detach(), bound)
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_anchors, grad_keys = ctx.saved_tensors
        return grad * grad_anchors, grad * grad_keys, None, None


def _chunked(
    anchors: Tensor, keys: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    half = anchors.dtype == torch.float16  # Exponentials would overflow.
    return _in_chunks(anchors, keys, torch.float32 if half else anchors.dtype)


def _half(anchors: Tensor, keys: Tensor, bound: float) -> tuple[Tensor, Tensor, Tensor]:
    return _in_chunks(anchors, keys, torch.bfloat16)


def _in_chunks(
    anchors: Tensor, keys: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    # A column of ones sums the exponentials in the product that is due anyway.
    ones = keys.new_ones(keys.size(0), 1)
    keys_t, keys_1 = keys.t().to(dtype), torch.cat([keys, ones], dim=1).to(dtype)
    single = at_least_single(anchors.dtype)
    grad_anchors = torch.empty_like(anchors)
    grad_keys_t = torch.zeros_like(keys.t(), dtype=single)
    total = anchors.new_zeros((), dtype=torch.float64)
    size = max(1, CHUNK_ELEMENTS // max(1, keys.size(0)))
    if keys.is_cpu:
        size = min(size, CHUNK_ROWS)
    for chunk, grad in zip(anchors.split(size), grad_anchors.split(size), strict=True):
        exp = matmul(chunk.to(dtype), keys_t).exp_()
        product, sums = matmul(exp, keys_1).split([keys.size(1), 1], dim=1)
        sums = sums.to(at_least_single(dtype))
        grad.copy_(product / sums)
        grad_keys_t += matmul((chunk / sums).t().to(dtype).contiguous(), exp)
        total += sums.log().sum()
    return total.to(single), grad_anchors, grad_keys_t.t().to(keys.dtype)


def _fused(
    anchors: Tensor, keys: Tensor, bound: float, masked: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    sums, grad_anchors, grad_keys = cpp_infonce(anchors, keys, bound, masked)
    return (sums.log() + bound).sum(), grad_anchors, grad_keys


def _triton(
    anchors: Tensor, keys: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    from lgmrec_pyg.ops.triton_infonce import triton_infonce

    sums, grad_anchors, grad_keys = triton_infonce(anchors, keys, bound)
    return (sums.log() + bound).sum(), grad_anchors, grad_keys


CHUNK_ELEMENTS = 1 << 23  # 32 MB of similarities, the fastest of 2 to 64 MB.
CHUNK_ROWS = 128  # More leave the caches of a CPU: the fastest of 64 to 512.
MAX_FUSED_COLUMNS = 32  # Beyond, a library of matrix products is faster.
BACKENDS: dict[str, Kernel] = {
    'chunked': _chunked,
    'bfloat16': _half,
    'fused': _fused,
    'triton': _triton,
}
