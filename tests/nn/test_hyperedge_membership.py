import pytest
import torch

from lgmrec_pyg.nn import HyperedgeMembership


def test_evaluation_is_a_plain_softmax() -> None:
    membership = HyperedgeMembership(temperature=0.5).eval()
    logits = torch.tensor([[0.0, 0.5 * torch.tensor(3.0).log()]])
    assert torch.allclose(membership(logits), torch.tensor([[0.25, 0.75]]))


@pytest.mark.parametrize('noise', ['gumbel', 'logistic'])
def test_noise_follows_its_distribution(noise: str) -> None:
    membership = HyperedgeMembership(noise=noise)
    draw = membership.add_noise(torch.zeros(200_000, dtype=torch.float64))
    points = torch.tensor([-2.0, -0.5, 0.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    cdf = (-(-points).exp()).exp() if noise == 'gumbel' else points.sigmoid()
    empirical = (draw[:, None] <= points).double().mean(dim=0)
    assert torch.allclose(empirical, cdf, atol=0.005)  # Four standard errors.


def test_gumbel_noise_samples_the_softmax() -> None:
    # The Gumbel-max trick: the largest membership is a sample of the softmax.
    membership = HyperedgeMembership(temperature=1.0, dropout=0.0)
    logits = torch.tensor([0.2, 0.3, 0.5]).log()
    winner = membership(logits.expand(100_000, 3)).argmax(dim=1)
    share = torch.bincount(winner, minlength=3) / 100_000
    assert torch.allclose(share, torch.tensor([0.2, 0.3, 0.5]), atol=0.006)


def test_dropout_rescales() -> None:
    membership = HyperedgeMembership(dropout=0.75, noise=None)
    logits = torch.randn(20_000, 4)
    expected = (logits / 0.2).softmax(dim=1)
    out = membership(logits)
    kept = out != 0
    assert torch.allclose(out[kept], 4 * expected[kept])
    assert 0.24 < kept.float().mean() < 0.26


def test_noise_in_evaluation_only_on_request() -> None:
    logits = torch.randn(50, 4)
    membership = HyperedgeMembership(dropout=0.5, noisy_eval=True).eval()
    first = membership(logits)
    assert not torch.equal(first, membership(logits))
    assert torch.allclose(first.sum(dim=1), torch.ones(50))  # Noise but no dropout.


def test_other_shapes_and_types_take_the_plain_path() -> None:
    membership = HyperedgeMembership(dropout=0.0, noise=None)
    for size in [(5,), (2, 5, 3), (4, 0)]:
        logits = torch.randn(size)
        assert torch.allclose(membership(logits), (logits / 0.2).softmax(dim=-1))


def test_repr() -> None:
    expected = (
        "HyperedgeMembership(temperature=0.2, dropout=0.5, noise='gumbel', "
        'noisy_eval=False)'
    )
    assert repr(HyperedgeMembership()) == expected


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'temperature': 0.0}, "'temperature' needs to be positive"),
        ({'dropout': 1.0}, r"'dropout' needs to be in \[0, 1\)"),
        ({'dropout': -0.1}, r"'dropout' needs to be in \[0, 1\)"),
        ({'noise': 'uniform'}, "'noise' needs to be one of"),
    ],
)
def test_arguments_out_of_their_range(kwargs, message):
    with pytest.raises(ValueError, match=message):
        HyperedgeMembership(**kwargs)
