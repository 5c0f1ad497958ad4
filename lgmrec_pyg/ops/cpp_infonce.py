import math

import torch
from torch import Tensor

from lgmrec_pyg.ops._extension import extension

MAX_NARROW = 8  # Columns up to which the kernel of that name is the faster one.


def cpp_infonce(
    anchors: Tensor, keys: Tensor, bound: float, masked: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The loops in C++ behind :func:`~lgmrec_pyg.ops.infonce` on CPU.

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
        out = _narrow_infonce(anchors, keys.t().contiguous(), bound)
    else:
        out = _wide_infonce(anchors, keys.contiguous(), bound, masked)
    if not math.isfinite(anchors.sum() + keys.sum()):
        for x in out:  # Compiled as if there were no such numbers.
            x.fill_(math.nan)
    return out


def _narrow_infonce(
    anchors: Tensor, keys_t: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    (size, width), num_keys = anchors.size(), keys_t.size(1)
    library, num_threads = extension(), torch.get_num_threads()
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
    extension().infonce_wide(
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
