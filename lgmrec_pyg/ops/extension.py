import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

MAX_NARROW = 8  # Columns up to which the kernel of that name is the faster one.


@cache
def _library() -> ctypes.CDLL | None:
    spec = find_spec('lgmrec_pyg.ops._kernels')
    if spec is None or spec.origin is None:
        return None
    library = ctypes.CDLL(spec.origin)
    pointer, long, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    integer, pointers = ctypes.c_int, [ctypes.c_void_p] * 3
    sizes = [pointer, pointer, long, long, integer, real]
    library.infonce_narrow.argtypes = [*sizes, integer, pointer, *pointers]
    library.infonce_narrow_scratch.argtypes = [long, integer]
    library.infonce_narrow_scratch.restype = long
    library.infonce_wide.argtypes = [*sizes, ctypes.c_bool, integer, *pointers]
    library.membership.argtypes = [pointer, long, long, real, integer, real]
    library.membership.argtypes += [ctypes.c_uint64, integer, pointer, pointer]
    library.membership_backward.argtypes = [*pointers, long, long, real, real]
    library.membership_backward.argtypes += [integer, pointer]
    for name in (
        'infonce_narrow',
        'infonce_wide',
        'membership',
        'membership_backward',
    ):
        getattr(library, name).restype = None
    return library


def has_extension() -> bool:
    r"""Whether the C++ extension was built when the package was installed."""
    return _library() is not None


def _require() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise ImportError(
            "The C++ extension is missing: install a C++ compiler and run 'pip install "
            "-e .' again"
        )
    return library


def fused_infonce(
    anchors: Tensor, keys: Tensor, bound: float, masked: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The fused loops behind :func:`~lgmrec_pyg.ops.infonce` on CPU.

    Args:
        anchors (torch.Tensor): Anchors of shape :math:`(B, K)`, in single
            precision.
        keys (torch.Tensor): Keys of shape :math:`(N, K)`.
        bound (float): An upper bound :math:`c` of all inner products.
        masked (bool, optional): If set to :obj:`True`, may leave the gradients
            of zeros in :obj:`keys` at zero. (default: :obj:`False`)

    Returns:
        The sums :math:`\sum_n \exp(\mathbf{a}_b^{\top} \mathbf{k}_n - c)` of
        shape :math:`(B)`, and the gradients of the sum of their logarithms with
        respect to anchors and keys.
    """
    width = anchors.size(1)
    if not all(x.is_cpu and x.dtype == torch.float32 for x in (anchors, keys)):
        raise ValueError(
            f"backend 'fused' needs float32 on CPU (got {anchors.dtype} on "
            f"'{anchors.device}' and {keys.dtype} on '{keys.device}')"
        )
    if width < 1 or keys.size(1) != width:
        raise ValueError(
            f"backend 'fused' needs as many columns on both sides, and one at least "
            f'(got {width} and {keys.size(1)})'
        )
    anchors = anchors.contiguous()
    if width <= MAX_NARROW:
        return _narrow_infonce(anchors, keys.t().contiguous(), bound)
    return _wide_infonce(anchors, keys.contiguous(), bound, masked)


def _narrow_infonce(
    anchors: Tensor, keys_t: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    (size, width), num_keys = anchors.size(), keys_t.size(1)
    library, num_threads = _require(), torch.get_num_threads()
    stride = library.infonce_narrow_scratch(num_keys, width)
    scratch = anchors.new_empty(num_threads * stride)
    sums = anchors.new_empty(size)
    grad_anchors, grad_keys_t = torch.empty_like(anchors), torch.empty_like(keys_t)
    library.infonce_narrow(
        anchors.data_ptr(),
        keys_t.data_ptr(),
        size,
        num_keys,
        width,
        bound,
        num_threads,
        scratch.data_ptr(),
        sums.data_ptr(),
        grad_anchors.data_ptr(),
        grad_keys_t.data_ptr(),
    )
    return sums, grad_anchors, grad_keys_t.t()


def _wide_infonce(
    anchors: Tensor, keys: Tensor, bound: float, masked: bool
) -> tuple[Tensor, Tensor, Tensor]:
    sums = anchors.new_empty(anchors.size(0))
    grad_anchors, grad_keys = torch.empty_like(anchors), torch.empty_like(keys)
    _require().infonce_wide(
        anchors.data_ptr(),
        keys.data_ptr(),
        anchors.size(0),
        *keys.size(),
        bound,
        masked,
        torch.get_num_threads(),
        sums.data_ptr(),
        grad_anchors.data_ptr(),
        grad_keys.data_ptr(),
    )
    return sums, grad_anchors, grad_keys


NOISES = (None, 'gumbel', 'logistic')


def can_fuse(logits: Tensor) -> bool:
    r"""Whether :func:`fused_membership` takes these logits."""
    fits = logits.is_cpu and logits.dtype == torch.float32 and logits.dim() == 2
    return fits and logits.size(1) > 0 and has_extension()


def fused_membership(
    logits: Tensor, temperature: float, noise: str | None, dropout: float
) -> Tensor:
    r"""The fused pass behind :class:`~lgmrec_pyg.nn.HyperedgeMembership` in
    training on CPU; see there for the arguments. The noise is a function of one
    draw from the random number generator of PyTorch.
    """
    return _FusedMembership.apply(logits, temperature, noise, dropout)


class _FusedMembership(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, temperature: float, noise: str | None, dropout: float
    ) -> Tensor:
        logits = logits.detach().contiguous()
        soft, out = torch.empty_like(logits), torch.empty_like(logits)
        _require().membership(
            logits.data_ptr(),
            *logits.size(),
            temperature,
            NOISES.index(noise),
            1 - dropout,
            int(torch.randint(2**63 - 1, ())),
            torch.get_num_threads(),
            soft.data_ptr(),
            out.data_ptr(),
        )
        ctx.save_for_backward(soft, out)
        ctx.temperature, ctx.keep = temperature, 1 - dropout
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        soft, out = ctx.saved_tensors
        grad, grad_logits = grad.contiguous(), torch.empty_like(soft)
        _require().membership_backward(
            grad.data_ptr(),
            soft.data_ptr(),
            out.data_ptr(),
            *soft.size(),
            ctx.temperature,
            ctx.keep,
            torch.get_num_threads(),
            grad_logits.data_ptr(),
        )
        return grad_logits, None, None, None
