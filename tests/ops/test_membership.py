import pytest
import torch

from lgmrec_pyg.ops import has_extension

pytestmark = [
    pytest.mark.skipif(not has_extension(), reason='needs the C++ extension'),
    pytest.mark.usefixtures('each_version'),
]


def draw(logits, temperature, noise, dropout):
    seed = torch.randint(2**63 - 1, ())
    args = (logits, seed, temperature, noise, dropout)
    return torch.ops.lgmrec_pyg.membership(*args)[0]


@pytest.mark.parametrize(('n', 'k'), [(1, 1), (3, 4), (700, 3), (50, 64), (2, 5000)])
def test_without_noise_it_is_a_softmax(n: int, k: int) -> None:
    logits = torch.randn(n, k)
    out = draw(logits, 0.3, None, 0.0)
    assert torch.allclose(out, (logits / 0.3).softmax(dim=1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('noise', ['gumbel', 'logistic'])
def test_noise_follows_its_distribution(noise: str) -> None:
    # With two hyperedges, the log-ratio of memberships is the difference of their
    # noise: logistic for Gumbel noise, and a sum of two logistics otherwise.
    out = draw(torch.zeros(200_000, 2), 1.0, noise, 0.0).double()
    ratio = (out[:, 0] / out[:, 1]).log()
    points = torch.tensor([-3.0, -1.0, -0.2, 0.5, 2.0], dtype=torch.float64)
    if noise == 'gumbel':
        cdf = points.sigmoid()
    else:  # The convolution of two logistic distributions.
        cdf = (points.exp() * (points.exp() - 1 - points)) / (points.exp() - 1) ** 2
    empirical = (ratio[:, None] <= points).double().mean(dim=0)
    assert torch.allclose(empirical, cdf, atol=0.005)  # Four standard errors.


def test_draws_are_independent() -> None:
    keep = (draw(torch.zeros(100_000, 4), 1.0, None, 0.3) != 0).double()
    assert torch.allclose(keep.mean(dim=0), torch.tensor(0.7).double(), atol=0.006)
    correlation = torch.corrcoef(torch.cat([keep[1:], keep[:-1]], dim=1).t())
    assert (correlation - torch.eye(8)).abs().max() < 0.015


def test_dropout_and_noise_are_independent() -> None:
    out = draw(torch.zeros(200_000, 2), 1.0, 'gumbel', 0.5)
    both = out[(out != 0).all(dim=1)]
    assert 0.24 < both.size(0) / 200_000 < 0.26
    share = (both[:, 0] > both[:, 1]).float().mean()
    assert 0.49 < share < 0.51
    assert torch.allclose(both.sum(dim=1), torch.tensor(2.0))  # 1 / (1 - 0.5)


@pytest.mark.parametrize('dropout', [0.0, 0.4])
def test_gradient(dropout: float) -> None:
    logits = torch.randn(9, 6, requires_grad=True)
    out = draw(logits, 0.5, None, dropout)
    mask = (out != 0) / (1 - dropout)
    expected = (logits / 0.5).softmax(dim=1) * mask
    assert torch.allclose(out, expected, rtol=1e-5, atol=1e-7)
    grad = torch.randn(6, 9).t()  # Not contiguous.
    (value,) = torch.autograd.grad(out, logits, grad)
    (expected_value,) = torch.autograd.grad(expected, logits, grad)
    assert torch.allclose(value, expected_value, rtol=1e-4, atol=1e-6)


def test_gradient_follows_the_noise() -> None:
    # d softmax / d logits holds at the noisy memberships themselves.
    logits = torch.randn(50, 3, requires_grad=True)
    out = draw(logits, 0.2, 'gumbel', 0.0)
    grad = torch.randn(50, 3)
    (value,) = torch.autograd.grad(out, logits, grad)
    soft = out.detach()
    expected = soft * (grad - (grad * soft).sum(1, keepdim=True)) / 0.2
    assert torch.allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_seed_decides_and_threads_do_not() -> None:
    draws = []
    for seed, num_threads in [(0, 1), (0, 2), (0, 5), (1, 1)]:
        torch.set_num_threads(num_threads)
        torch.manual_seed(seed)
        draws.append(draw(torch.zeros(333, 4), 0.2, 'gumbel', 0.5))
    torch.set_num_threads(1)
    # Threads share the work at other borders, where vectors round differently.
    assert torch.allclose(draws[0], draws[1], rtol=1e-5)
    assert torch.allclose(draws[0], draws[2], rtol=1e-5)
    assert not torch.allclose(draws[0], draws[3], rtol=1e-2)


def test_extreme_logits() -> None:
    logits = torch.tensor([[1e6, -1e6, 0.0], [-1e6, -1e6, -1e6]])
    out = draw(logits, 0.2, 'gumbel', 0.0)
    assert torch.equal(out[0], torch.tensor([1.0, 0.0, 0.0]))
    assert torch.allclose(out.sum(dim=1), torch.ones(2))


@pytest.mark.parametrize('noise', ['gumbel', 'logistic'])
def test_uniform_draws_never_reach_their_bounds(noise: str) -> None:
    # One in 2^24 draws once rounded to 1, whose noise is infinite: seed 1 has it.
    torch.manual_seed(1)
    out = draw(torch.zeros(2**19, 2), 1.0, noise, 0.0)
    assert out.isfinite().all()
