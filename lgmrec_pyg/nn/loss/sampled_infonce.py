from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from lgmrec_pyg.ops import matmul
from lgmrec_pyg.ops._infonce import at_least_single

CHUNK_ELEMENTS = 1 << 21  # 8 MB of similarities.
NUM_KEYS = 2048


def sampled_infonce(
    anchors: Tensor,
    keys: Tensor,
    index: Tensor,
    weight: Tensor,
    temperature: float,
    num_keys: int = NUM_KEYS,
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
    The positive key, which is there for certain, takes no correction. Of more than
    :obj:`num_keys` keys, so many are drawn, for the cost of an anchor not to grow
    with the batch.

    Args:
        anchors (torch.Tensor): Anchors of shape :math:`(B, K)`, so scaled that inner
            products with keys lie between -1 and 1.
        keys (torch.Tensor): The sampled keys, of shape :math:`(S, K)`.
        index (torch.Tensor): The positive key :math:`i_b` of every anchor, of shape
            :math:`(B)`.
        weight (torch.Tensor): The inverse probabilities :math:`1 / \pi_n`, of shape
            :math:`(S)`.
        temperature (float): The temperature :math:`\tau`.
        num_keys (int, optional): The number of keys to hold anchors against.
            (default: :obj:`2048`)
    """
    single = at_least_single(anchors.dtype)
    positives, place, size = F.embedding(index, keys), index, keys.size(0)
    if size > num_keys:
        drawn = torch.randperm(size, device=keys.device)[:num_keys]
        places = torch.full((size,), -1, device=keys.device)
        places[drawn] = torch.arange(num_keys, device=keys.device)
        place = places[index]  # None for positives that were not drawn.
        keys, weight = F.embedding(drawn, keys), weight[drawn] * (size / num_keys)
    inputs = (anchors.to(single) / temperature, positives.to(single), keys.to(single))
    return _SampledInfoNCE.apply(*inputs, place, weight.log().to(single))


class _SampledInfoNCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchors: Tensor,
        positives: Tensor,
        keys: Tensor,
        place: Tensor,
        bias: Tensor,
    ) -> Tensor:
        # A column of ones sums the exponentials in the product that is due anyway.
        keys_1 = F.pad(keys, (0, 1), value=1.0)
        keys_t, total = keys.t().contiguous(), anchors.new_zeros(())
        grad_anchors, grad_positives = map(torch.empty_like, (anchors, positives))
        grad_keys_t = torch.zeros_like(keys_t)
        size = max(1, CHUNK_ELEMENTS // keys.size(0))
        for start in range(0, anchors.size(0), size):
            part = slice(start, start + size)
            chunk, positive = anchors[part], positives[part]
            logits = torch.addmm(bias, chunk, keys_t)
            twice = (place[part] >= 0).nonzero().view(-1)
            logits[twice, place[part][twice]] = -torch.inf
            own = (chunk * positive).sum(dim=1, keepdim=True)
            top = torch.maximum(logits.amax(dim=1, keepdim=True), own)
            exp, own_exp = logits.sub_(top).exp_(), (own - top).exp_()
            product, sums = matmul(exp, keys_1).split([keys.size(1), 1], dim=1)
            sums = sums + own_exp
            total += (sums.log() + top - own).sum()
            share = own_exp / sums - 1
            grad_anchors[part] = product / sums + share * positive
            grad_positives[part] = share * chunk
            grad_keys_t += matmul((chunk / sums).t().contiguous(), exp)
        ctx.save_for_backward(grad_anchors, grad_positives, grad_keys_t.t())
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *(grad * x for x in ctx.saved_tensors), None, None
