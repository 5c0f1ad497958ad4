import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from lgmrec_pyg.ops._extension import extension, has_extension, register
from lgmrec_pyg.ops._matmul import HAS_ONEDNN, matmul
from lgmrec_pyg.ops._spmm import has_tangent

CHUNK_ELEMENTS = 1 << 23  # 32 MB of similarities, the fastest of 2 to 64 MB.
# More leave the caches of a CPU, fewer add up the gradient of the keys too often: the
# fastest of 64 to 1024 for 64 columns. For 192, those of 256 to 1024 are faster.
CHUNK_ROWS = 128
FEW_ELEMENTS = 1 << 20  # Up to this many, more rows are faster still.
MAX_NARROW = 8  # Columns up to which the kernel of that name is the faster one.
MAX_FUSED_COLUMNS = 32  # Beyond, a library of matrix products is faster.

# Anchors, keys, an upper bound of inner products and whether gradients of zeros count.
Kernel = Callable[[Tensor, Tensor, float, bool], tuple[Tensor, Tensor, Tensor]]


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
    and so the loss, are in single precision at least; under autocast, so is everything.

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
            :obj:`"fused"` are loops in C++ (CPU, single precision);
            :obj:`"triton"` is one kernel on GPU, and experimental. :obj:`"auto"`
            follows the ``contrast`` benchmark. (default: :obj:`"auto"`)
        masked (bool, optional): If set to :obj:`True`, the gradients of zeros in
            :obj:`keys` are of no use and may be zero, as where a dropout follows
            in the backward pass; :obj:`"fused"` is then faster the more zeros
            there are. (default: :obj:`False`)

    Raises:
        ValueError: If the backend is unknown or the shapes do not agree.
        ImportError: If the C++ extension is asked for but was not built.
    """
    check_backend(backend)
    single = at_least_single(anchors.dtype)
    if torch.is_autocast_enabled(anchors.device.type):
        with torch.autocast(anchors.device.type, enabled=False):
            inputs = anchors.to(single), keys.to(single)
            return infonce(*inputs, index, temperature, backend, masked)
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
    positive = (anchors * F.embedding(index, keys)).sum(dtype=single) / temperature
    if backend == 'auto':
        backend = choose_backend(anchors, masked)
    if has_tangent(anchors) or has_tangent(keys):
        backend = 'plain'
    if backend == 'plain' or 2 / temperature > 80:  # Else all of a row underflows.
        total = (anchors @ keys.t() / temperature).to(single).logsumexp(dim=1).sum()
    else:
        bound = 1 / temperature
        total, *_ = torch.ops.lgmrec_pyg.infonce(
            anchors * bound, keys, bound, backend, masked
        )
    return total - positive


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
    fits = anchors.dtype == torch.float32 and anchors.is_cpu and anchors.size(1) > 0
    wide = HAS_ONEDNN and not masked and anchors.size(1) > MAX_FUSED_COLUMNS
    return 'fused' if fits and has_extension() and not wide else 'chunked'


def in_chunks(
    anchors: Tensor,
    keys: Tensor,
    bound: float,
    masked: bool = False,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The operator ``infonce`` by products of matrices, in another type if given."""
    if dtype is None:  # In half precision, exponentials would overflow.
        half = anchors.dtype == torch.float16
        dtype = torch.float32 if half else anchors.dtype
    # A column of ones sums the exponentials in the product that is due anyway.
    ones = keys.new_ones(keys.size(0), 1)
    keys_t, keys_1 = keys.t().to(dtype), torch.cat([keys, ones], dim=1).to(dtype)
    single = at_least_single(anchors.dtype)
    grad_anchors = anchors.new_empty(anchors.size())
    grad_keys_t = keys.new_zeros(keys.size(), dtype=single).t()
    total = anchors.new_zeros((), dtype=torch.float64)
    size = max(1, CHUNK_ELEMENTS // max(1, keys.size(0)))
    if keys.is_cpu:
        few = FEW_ELEMENTS // max(1, keys.size(0))
        size = min(size, max(CHUNK_ROWS, 2 * keys.size(1), few))
    for chunk, grad in zip(anchors.split(size), grad_anchors.split(size), strict=True):
        exp = matmul(chunk.to(dtype), keys_t).exp_()
        product, sums = matmul(exp, keys_1).split([keys.size(1), 1], dim=1)
        sums = sums.to(at_least_single(dtype))
        grad.copy_(product / sums)
        grad_keys_t += matmul((chunk / sums).t().to(dtype).contiguous(), exp)
        total += sums.log().sum()
    return total.to(single), grad_anchors, grad_keys_t.t().to(keys.dtype)


def _fused(
    anchors: Tensor, keys: Tensor, bound: float, masked: bool
) -> tuple[Tensor, Tensor, Tensor]:
    (size, width), num_keys = anchors.size(), keys.size(0)
    fits = all(x.is_cpu and x.dtype == torch.float32 for x in (anchors, keys))
    if not fits or keys.size(1) != width or width < 1:
        raise ValueError(
            "backend 'fused' needs float32 on CPU, and as many columns on both sides, "
            f'but not none (got {anchors.dtype} of {tuple(anchors.size())} and '
            f'{keys.dtype} of {tuple(keys.size())})'
        )
    kernels, num_threads = extension(), torch.get_num_threads()
    anchors, keys = anchors.contiguous(), keys.contiguous()
    sums, grad_anchors = anchors.new_empty(size), torch.empty_like(anchors)
    sizes = (size, num_keys, width, bound)
    if width <= MAX_NARROW:
        keys_t = keys.t().contiguous()
        grad_keys_t = torch.empty_like(keys_t)
        scratch = num_threads * kernels.infonce_narrow_scratch(num_keys, width)
        scratch, out = keys.new_empty(scratch), (sums, grad_anchors, grad_keys_t)
        kernels.infonce_narrow(anchors, keys_t, *sizes, num_threads, scratch, *out)
        grad_keys = grad_keys_t.t()
    else:
        grad_keys = torch.empty_like(keys)
        out = (sums, grad_anchors, grad_keys)
        kernels.infonce_wide(anchors, keys, *sizes, masked, num_threads, *out)
    total = (sums.log() + bound).sum()
    if not math.isfinite(anchors.sum() + keys.sum()):
        for x in (total, grad_anchors, grad_keys):
            x.fill_(math.nan)  # Compiled as if there were no such numbers.
    return total, grad_anchors, grad_keys


def _triton(
    anchors: Tensor, keys: Tensor, bound: float, masked: bool
) -> tuple[Tensor, Tensor, Tensor]:
    from lgmrec_pyg.ops.experimental import triton_infonce

    sums, grad_anchors, grad_keys = triton_infonce(anchors, keys, bound)
    return (sums.log() + bound).sum(), grad_anchors, grad_keys


BACKENDS: dict[str, Kernel] = {
    'chunked': in_chunks,
    'fused': _fused,
    'triton': _triton,
}


def _infonce(
    anchors: Tensor,
    keys: Tensor,
    bound: float,
    backend: str = 'chunked',
    masked: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The sum :math:`\sum_b \log \sum_n \exp(\mathbf{a}_b^{\top} \mathbf{k}_n)` and
    its gradients, for inner products up to :obj:`bound`.
    """
    return BACKENDS[backend](anchors, keys, bound, masked)


def _fake_infonce(
    anchors: Tensor, keys: Tensor, bound: float, backend: str = 'chunked', *_: Any
) -> tuple[Tensor, Tensor, Tensor]:
    total = anchors.new_empty((), dtype=at_least_single(anchors.dtype))
    # Few columns are kept one after the other: what follows goes through them faster.
    by_column = backend == 'fused' and keys.size(1) <= MAX_NARROW
    shape = keys.size()[::-1] if by_column else keys.size()
    grad_keys = keys.new_empty(shape).t() if by_column else keys.new_empty(shape)
    return total, anchors.new_empty(anchors.size()), grad_keys


def _keep_gradients(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*output[1:])


@once_differentiable
def _gradient_of_infonce(ctx: Any, grad: Tensor, *_: Any) -> tuple[Any, ...]:
    grad_anchors, grad_keys = ctx.saved_tensors
    return grad * grad_anchors, grad * grad_keys, None, None, None


register(
    'infonce(Tensor anchors, Tensor keys, float bound, str backend="chunked", '
    'bool masked=False) -> (Tensor, Tensor, Tensor)',
    _infonce,
    _fake_infonce,
    _gradient_of_infonce,
    _keep_gradients,
    key='CompositeExplicitAutograd',
)
