import pytest
import torch

from lgmrec_pyg.nn import GlobalHypergraph


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('num_layers', [1, 2, 3])
def test_layers(num_layers: int, normalize: bool) -> None:
    module = GlobalHypergraph(num_layers, normalize=normalize).eval()
    x, item, user = torch.randn(6, 4), torch.randn(6, 3), torch.randn(5, 3)
    described = torch.tensor([1.0, 1, 0, 1, 1, 1]).view(-1, 1)
    h_item = (item / 0.2).softmax(1) * described
    h_user = (user / 0.2).softmax(1)
    back = h_item.t() / (h_item.sum(0).view(-1, 1) if normalize else 1)
    g = x
    for _ in range(num_layers):
        out_user, g = h_user @ (back @ g), h_item @ (back @ g)
    user_embedding, item_embedding = module(x, user, item, described)
    assert torch.allclose(user_embedding.dense(), out_user, atol=1e-5)
    assert torch.allclose(item_embedding.dense(), g, atol=1e-5)
    assert torch.equal(item_embedding.dense()[2], torch.zeros(4))


def test_repr() -> None:
    expected = (
        'GlobalHypergraph(2, HyperedgeMembership(temperature=0.2, dropout=0.5, '
        "noise='gumbel', noisy_eval=False), SoftHypergraphConv(normalize=True))"
    )
    assert repr(GlobalHypergraph(2, normalize=True)) == expected
