import pytest
import torch
import torch.nn.functional as F

from lgmrec_pyg.nn import HypergraphContrast, HypergraphEmbedding

INDEX = torch.tensor([3, 0, 3, 7])  # A node twice.


def draw(num_hyperedges: int, dim: int) -> list[HypergraphEmbedding]:
    out = []
    for _ in range(2):
        membership = torch.rand(12, num_hyperedges, dtype=torch.float64)
        membership[0] = 0  # All memberships dropped.
        latent = torch.randn(num_hyperedges, dim, dtype=torch.float64)
        out.append(
            HypergraphEmbedding(membership.requires_grad_(), latent.requires_grad_())
        )
    return out


def reference(anchor: torch.Tensor, key: torch.Tensor, tau: float) -> torch.Tensor:
    a, k = F.normalize(anchor)[INDEX], F.normalize(key)
    return F.cross_entropy(a @ k.t() / tau, INDEX, reduction='sum')


@pytest.mark.parametrize(('num_hyperedges', 'dim'), [(1, 5), (4, 16), (5, 5), (9, 4)])
def test_low_rank_form_is_exact(num_hyperedges: int, dim: int) -> None:
    anchor, key = draw(num_hyperedges, dim)
    leaves = [*anchor[:2], *key[:2]]
    loss = HypergraphContrast(0.3)(anchor, key, INDEX)
    dense = HypergraphContrast(0.3)(anchor.dense(), key.dense(), INDEX)
    expected = reference(anchor.dense(), key.dense(), 0.3)
    assert torch.allclose(loss, expected)
    assert torch.allclose(dense, expected)
    grads = torch.autograd.grad(loss, leaves)
    expected_grads = torch.autograd.grad(expected, leaves)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        mask = torch.ones_like(grad)
        if grad.shape == anchor.membership.shape:
            mask[0] = 0  # Normalization has no gradient at zero.
        assert torch.allclose(grad * mask, expected_grad * mask)
        assert grad.isfinite().all()


def test_options() -> None:
    anchor, key = (x.dense() for x in draw(4, 8))
    there, back = reference(anchor, key, 0.2), reference(key, anchor, 0.2)
    loss = HypergraphContrast(reduction='mean')(anchor, key, INDEX)
    assert torch.allclose(loss, there / 4)
    loss = HypergraphContrast(symmetric=True)(anchor, key, INDEX)
    assert torch.allclose(loss, (there + back) / 2)


def test_errors_and_repr() -> None:
    expected = "HypergraphContrast(temperature=0.2, reduction='sum', symmetric=False)"
    assert repr(HypergraphContrast()) == expected
    for wrong in (-1.0, 0.0):
        with pytest.raises(ValueError, match="'temperature' needs to be positive"):
            HypergraphContrast(wrong)
    with pytest.raises(ValueError, match=r"'backend' needs to be .* \(got 'fast'\)"):
        HypergraphContrast(backend='fast')
    with pytest.raises(ValueError, match=r"'reduction' needs to be .* \(got 'none'\)"):
        HypergraphContrast(reduction='none')


def test_low_rank_form_of_hyperedges_that_nearly_cancel() -> None:
    eps = 1e-3
    direction = torch.randn(1, 16)
    sign = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    embeddings = [
        HypergraphEmbedding(
            torch.full((12, 4), 0.25) + eps * torch.rand(12, 4),
            sign * direction + eps * torch.randn(4, 16),
        )
        for _ in range(2)
    ]
    loss = HypergraphContrast()(*embeddings, INDEX)
    exact = [
        HypergraphEmbedding(*(x.double() for x in e[:2])).dense() for e in embeddings
    ]
    assert torch.allclose(loss.double(), reference(*exact, 0.2), rtol=0.02)


@pytest.mark.parametrize(('num_hyperedges', 'dim'), [(3, 16), (20, 32), (64, 64)])
def test_gradients_behind_a_dropout(num_hyperedges: int, dim: int) -> None:
    logits = [torch.randn(90, num_hyperedges) for _ in range(2)]
    latents = [torch.randn(num_hyperedges, dim) for _ in range(2)]
    kept = [torch.rand(90, num_hyperedges) < 0.3 for _ in range(2)]

    def run(dtype: torch.dtype, masked: bool) -> list[torch.Tensor]:
        leaves = [x.detach().to(dtype).requires_grad_() for x in (*logits, *latents)]
        parts = [
            HypergraphEmbedding(leaves[i].softmax(1) * kept[i], leaves[2 + i], masked)
            for i in range(2)
        ]
        if not masked:
            loss = reference(*(x.dense() for x in parts), 0.2)
        else:
            loss = HypergraphContrast()(*parts, INDEX)
        return [loss, *torch.autograd.grad(loss, leaves)]

    exact = run(torch.float64, masked=False)
    for a, b in zip(run(torch.float32, masked=True), exact, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-4, atol=1e-4)
