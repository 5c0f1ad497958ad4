r"""What has run in an interpreter only: nothing chooses it unasked, and it may change
without notice.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Both kernels hold a block of rows against all columns of the other side, as in
# attention: similarities live in registers and never reach memory.


@triton.jit
def _similarities(rows, cols, bound, mask):
    s = tl.dot(rows, tl.trans(cols), input_precision='ieee') - bound
    return tl.where(mask[None, :], tl.exp(s), 0.0)


@triton.jit
def _load(x, index, size, k, K: tl.constexpr):
    return tl.load(
        x + index[:, None] * K + k[None, :],
        mask=(index < size)[:, None] & (k < K)[None, :],
        other=0.0,
    )


@triton.jit
def _anchor_kernel(
    anchors,
    keys,
    sums,
    grad,
    num_anchors,
    num_keys,
    bound,
    K: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    b = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    k = tl.arange(0, BLOCK_K)
    a = _load(anchors, b, num_anchors, k, K)
    total = tl.zeros([BLOCK_R], dtype=tl.float32)
    acc = tl.zeros([BLOCK_R, BLOCK_K], dtype=tl.float32)
    for first in range(0, num_keys, BLOCK_C):
        n = first + tl.arange(0, BLOCK_C)
        key = _load(keys, n, num_keys, k, K)
        exp = _similarities(a, key, bound, n < num_keys)
        total += tl.sum(exp, axis=1)
        acc += tl.dot(exp, key, input_precision='ieee')
    tl.store(sums + b, total, mask=b < num_anchors)
    mask = (b < num_anchors)[:, None] & (k < K)[None, :]
    tl.store(grad + b[:, None] * K + k[None, :], acc / total[:, None], mask=mask)


@triton.jit
def _key_kernel(
    anchors,
    keys,
    sums,
    grad,
    num_anchors,
    num_keys,
    bound,
    K: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    n = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    k = tl.arange(0, BLOCK_K)
    key = _load(keys, n, num_keys, k, K)
    acc = tl.zeros([BLOCK_R, BLOCK_K], dtype=tl.float32)
    for first in range(0, num_anchors, BLOCK_C):
        b = first + tl.arange(0, BLOCK_C)
        a = _load(anchors, b, num_anchors, k, K)
        exp = _similarities(key, a, bound, b < num_anchors)
        total = tl.load(sums + b, mask=b < num_anchors, other=1.0)
        acc += tl.dot(exp, a / total[:, None], input_precision='ieee')
    mask = (n < num_keys)[:, None] & (k < K)[None, :]
    tl.store(grad + n[:, None] * K + k[None, :], acc, mask=mask)


def triton_infonce(
    anchors: Tensor, keys: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The kernels behind the backend :obj:`"triton"` of
    :func:`~lgmrec_pyg.ops.infonce`: the sums :math:`\sum_n \exp(\mathbf{a}_b^{\top}
    \mathbf{k}_n - c)` for an upper bound :math:`c` of all inner products, and the
    gradients of the sum of their logarithms.
    """
    anchors, keys = anchors.contiguous(), keys.contiguous()
    (num_anchors, width), num_keys = anchors.size(), keys.size(0)
    sums = anchors.new_empty(num_anchors)
    grad_anchors, grad_keys = torch.empty_like(anchors), torch.empty_like(keys)
    blocks = {
        'K': width,
        'BLOCK_K': max(16, triton.next_power_of_2(width)),
        'BLOCK_R': 32,
        'BLOCK_C': 64,
    }
    args = (num_anchors, num_keys, bound)
    grid = (triton.cdiv(num_anchors, blocks['BLOCK_R']),)
    _anchor_kernel[grid](anchors, keys, sums, grad_anchors, *args, **blocks)
    grid = (triton.cdiv(num_keys, blocks['BLOCK_R']),)
    _key_kernel[grid](anchors, keys, sums, grad_keys, *args, **blocks)
    return sums, grad_anchors, grad_keys
