from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lgmrec_pyg.ops import matmul

CHUNK_ELEMENTS = 1 << 21  # 8 MB of similarities.


def sampled_infonce(
    anchors: Tensor, keys: Tensor, index: Tensor, weight: Tensor, temperature: float
) -> Tensor:
    r"""The InfoNCE loss of a batch of anchors against a sample :math:`\mathcal{S}` of
    all keys, summed, with the correction of the `"Sampling-Bias-Corrected Neural
    Modeling for Large Corpus Item Recommendations"
    <https://research.google/pubs/pub48840>`_ paper for the probability
    :math:`\pi_n` of key :math:`n` to be in the sample,

    .. math::
        \mathcal{L} = - \sum_{b=1}^{B} \log \frac{\exp(\mathbf{a}_b^{\top}
        \mathbf{k}_{i_b} / \tau)}{\exp(\mathbf{a}_b^{\top} \mathbf{k}_{i_b} / \tau)
        + \sum_{n \in \mathcal{S}, n \neq i_b} \exp(\mathbf{a}_b^{\top}
        \mathbf{k}_n / \tau - \log \pi_n)}.

    The sum in the denominator is then an unbiased estimate of that over all keys.
    The positive key, which is in the sample for certain, takes no correction.

    Args:
        anchors (torch.Tensor): Anchors of shape :math:`(B, K)`.
        keys (torch.Tensor): The sampled keys, of shape :math:`(S, K)`.
        index (torch.Tensor): The positive key :math:`i_b` of every anchor, of shape
            :math:`(B)`.
        weight (torch.Tensor): The inverse probabilities :math:`1 / \pi_n`, of shape
            :math:`(S)`.
        temperature (float): The temperature :math:`\tau`.
    """
    return _SampledInfoNCE.apply(anchors / temperature, keys, index, weight)


class _SampledInfoNCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchors: Tensor, keys: Tensor, index: Tensor, weight: Tensor
    ) -> Tensor:
        single = torch.promote_types(anchors.dtype, torch.float32)
        anchors, keys = anchors.to(single), keys.to(single)
        bias = weight.log().to(single)
        grad_anchors, grad_keys = torch.empty_like(anchors), torch.zeros_like(keys)
        total, keys_t = anchors.new_zeros(()), keys.t().contiguous()
        size = max(1, CHUNK_ELEMENTS // keys.size(0))
        for rows in torch.arange(anchors.size(0), device=keys.device).split(size):
            chunk, pos = anchors[rows], index[rows].view(-1, 1)
            logits = torch.addmm(bias, chunk, keys_t)
            own = logits.gather(1, pos) - bias[pos]
            logits.scatter_(1, pos, own)
            top = logits.amax(dim=1, keepdim=True)
            prob = logits.sub_(top).exp_()
            sums = prob.sum(dim=1, keepdim=True)
            total += (sums.log() + top - own).sum()
            prob /= sums
            prob.scatter_add_(1, pos, -torch.ones_like(own))
            grad_anchors[rows] = matmul(prob, keys)
            grad_keys += matmul(prob.t(), chunk)
        ctx.save_for_backward(grad_anchors, grad_keys)
        ctx.dtype = anchors.dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_anchors, grad_keys = ctx.saved_tensors
        return grad * grad_anchors, grad * grad_keys, None, None
