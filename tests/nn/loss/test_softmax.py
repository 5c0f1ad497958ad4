import pytest
import torch
import torch.nn.functional as F

from lgmrec_pyg.nn import SoftmaxLoss
from lgmrec_pyg.nn.loss import sampled_infonce


def test_equal_to_cross_entropy_of_cosines() -> None:
    user, item = torch.randn(5, 4).double(), torch.randn(7, 4).double()
    pos = torch.tensor([0, 6, 3, 3, 1])
    scores = F.normalize(user) @ F.normalize(item).t() / 0.3
    out = SoftmaxLoss(temperature=0.3)(user, item, pos)
    assert torch.allclose(out, F.cross_entropy(scores, pos), rtol=1e-12)


def test_scale_does_not_count() -> None:
    user, item, pos = torch.randn(5, 4), torch.randn(7, 4), torch.arange(5)
    loss = SoftmaxLoss()
    assert torch.allclose(loss(user, item, pos), loss(9 * user, 0.1 * item, pos))


def test_known_answer() -> None:
    # Two orthogonal items at temperature 1: a softmax of (1, 0).
    out = SoftmaxLoss(temperature=1.0)(
        torch.tensor([[2.0, 0.0]]), torch.eye(2), torch.tensor([0])
    )
    assert out.item() == pytest.approx(0.3132617)


@pytest.mark.parametrize('backend', ['plain', 'chunked'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_large_batches_do_not_overflow(backend: str, dtype: torch.dtype) -> None:
    user, item = torch.randn(20_000, 8).to(dtype), torch.randn(50, 8).to(dtype)
    pos = torch.randint(50, (20_000,))
    inputs = [x.requires_grad_() for x in (user, item)]
    out = SoftmaxLoss(backend=backend)(*inputs, pos)
    single = [x.detach().float().requires_grad_() for x in inputs]
    expected = SoftmaxLoss(backend=backend)(*single, pos)
    assert out.dtype == torch.float32
    assert torch.allclose(out, expected, rtol=1e-3)
    scale = pos.numel()  # Else half precision has no such small gradients.
    grads = torch.autograd.grad(scale * out, inputs)
    for a, b in zip(grads, torch.autograd.grad(scale * expected, single), strict=True):
        assert a.dtype == dtype
        assert (a - b).norm() < 0.1 * b.norm()


def test_errors() -> None:
    with pytest.raises(ValueError, match="'temperature' needs to be positive"):
        SoftmaxLoss(temperature=0.0)
    with pytest.raises(ValueError, match="'backend' needs to be one of"):
        SoftmaxLoss(backend='magic')


def test_repr() -> None:
    assert repr(SoftmaxLoss()) == 'SoftmaxLoss(temperature=0.2)'


def test_positives_are_candidates_in_any_case():
    user, item = torch.randn(3, 4).double(), torch.randn(7, 4).double()
    pos, chosen = torch.tensor([0, 5, 2]), torch.tensor([0, 1, 1, 1, 0, 1, 0]).bool()
    scores = F.normalize(user) @ F.normalize(item).t() / 0.2
    expected = F.cross_entropy(scores[:, [0, 1, 2, 3, 5]], torch.tensor([0, 4, 2]))
    assert torch.allclose(SoftmaxLoss()(user, item, pos, candidates=chosen), expected)


@pytest.mark.parametrize('masked', [False, True])
def test_a_sample_of_items_is_weighted(masked):
    user, item = F.normalize(torch.randn(3, 4)), F.normalize(torch.randn(7, 4))
    user, item = user.double(), item.double()
    pos, weight = torch.tensor([0, 5, 2]), 1 + 9 * torch.rand(7).double()
    candidates = torch.ones(7).bool() if masked else None
    out = SoftmaxLoss()(user, item, pos, weight, candidates)
    assert torch.allclose(out, sampled_infonce(user, item, pos, weight, 0.2) / 3)
    assert not torch.allclose(out, SoftmaxLoss()(user, item, pos))
