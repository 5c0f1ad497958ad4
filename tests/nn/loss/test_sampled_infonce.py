import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lgmrec_pyg.nn import HypergraphContrast, SoftmaxLoss
from lgmrec_pyg.nn.loss import sampled_infonce
from lgmrec_pyg.ops import infonce


def rows(*size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*size, generator=generator, dtype=torch.double)
    return F.normalize(x).requires_grad_()


def test_known_answer() -> None:
    # Cosines 1 (own), 0 and -1; the others stand for 3 and 5 keys.
    anchor = torch.tensor([[1.0, 0.0]])
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    weight = torch.tensor([4.0, 3.0, 5.0])
    total = sampled_infonce(anchor, keys, torch.tensor([0]), weight, 0.5)
    expected = math.log(math.exp(2) + 3 + 5 * math.exp(-2)) - 2
    assert float(total) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('temperature', [0.01, 0.2])
def test_equal_to_logits_with_correction(temperature: float) -> None:
    anchors, keys = rows(7, 5), rows(9, 5, seed=1)
    index = torch.tensor([0, 3, 3, 8, 1, 0, 5])
    weight = torch.linspace(1, 300, 9, dtype=torch.double)
    logits = anchors @ keys.t() / temperature + weight.log()
    own = F.one_hot(index, 9).bool()
    logits = torch.where(own, logits - weight.log(), logits)
    expected = F.cross_entropy(logits, index, reduction='sum')
    total = sampled_infonce(anchors, keys, index, weight, temperature)
    assert torch.allclose(total, expected, rtol=1e-12)
    grads = torch.autograd.grad(total, (anchors, keys))
    for grad, other in zip(
        grads, torch.autograd.grad(expected, (anchors, keys)), strict=True
    ):
        assert torch.allclose(grad, other, rtol=1e-9, atol=1e-12)


def test_all_keys_are_the_whole_loss() -> None:
    anchors, keys, index = rows(6, 4), rows(8, 4, seed=1), torch.arange(6)
    ones = torch.ones(8, dtype=torch.double)
    expected = infonce(anchors, keys, index)
    assert torch.allclose(sampled_infonce(anchors, keys, index, ones, 0.2), expected)
    loss, contrast = SoftmaxLoss(), HypergraphContrast()
    assert torch.allclose(loss(anchors, keys, index, ones), loss(anchors, keys, index))
    anchors = rows(8, 4, seed=2)
    expected = contrast(anchors, keys, index)
    assert torch.allclose(contrast(anchors, keys, index, ones), expected)


@pytest.mark.parametrize('corrected', [True, False])
def test_denominators_are_unbiased(corrected: bool) -> None:
    # Keys with larger cosines are drawn more often, as popular items are.
    keys = rows(40, 3, seed=3).detach()
    anchor, index = keys[:1], torch.tensor([0])
    probability = (0.5 + 0.45 * (keys @ anchor.t()).view(-1)).clamp(0.05, 0.95)
    expected = (keys @ anchor.t() / 0.5).exp().sum()
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(2000):
        drawn = torch.rand(40, generator=generator, dtype=torch.double) < probability
        drawn[0] = True
        weight = 1 / probability if corrected else torch.ones_like(probability)
        total = sampled_infonce(anchor, keys[drawn], index, weight[drawn], 0.5)
        values.append((total + 2).exp())
    mean, error = torch.stack(values).mean(), torch.stack(values).std() / 2000**0.5
    assert bool(abs(mean - expected) < 4 * error) == corrected


def test_more_keys_than_needed_are_drawn_from() -> None:
    torch.manual_seed(0)
    keys = rows(60, 3, seed=4).detach()
    anchor, index = keys[:1], torch.tensor([0])
    expected = (keys @ anchor.t() / 0.5).exp().sum()
    ones = torch.ones(60, dtype=torch.double)
    values = torch.stack(
        [
            (sampled_infonce(anchor, keys, index, ones, 0.5, num_keys=20) + 2).exp()
            for _ in range(2000)
        ]
    )
    assert values.std() > 0.01
    assert abs(values.mean() - expected) < 4 * values.std() / 2000**0.5
