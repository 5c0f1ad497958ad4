import pytest
import torch
from references.blocks import (
    Dense,
    assert_equal_to_reference,
    graph_with_similar,
    ids,
    linear,
    side_losses,
)

from lgmrec_pyg.nn import SMORE, SpectralFilter


def dense_filter(weight: torch.Tensor, *features: torch.Tensor) -> torch.Tensor:
    r"""The Fourier transform as a matrix."""
    n = features[0].size(1)
    k = torch.arange(n, dtype=torch.float64)
    dft = torch.polar(torch.ones(n, n).double(), -2 * torch.pi * k.outer(k) / n)
    dft = dft / n**0.5
    half = torch.complex(weight[:, 0], weight[:, 1])
    # What is imaginary in the constant and in the fastest wave cancels out.
    half = torch.cat([half[:1].real + 0j, half[1:-1], half[-1:].real + 0j])
    w = torch.cat([half, half[1:-1].flip(0).conj()])
    for x in features:
        w = w * (x.to(dft.dtype) @ dft.t())
    return (w @ dft.conj()).real


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
def test_equal_to_dense_reference(num_modalities, temperature) -> None:
    data = graph_with_similar(num_modalities, union=True)
    model = SMORE.from_data(
        data,
        embedding_dim=8,
        contrast_weight=0.3,
        reg_weight=0.2,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        c = dense.light_gcn(ids(model), 3)
        features = {name: [dense.project(model, name)] for name in dense.x}
        features['item'] = [f for (f,) in features.values()]
        views = {}
        for name, f in features.items():
            content = dense_filter(model.filter[name].weight, *f)
            gate = linear(model.purifier[name], content).sigmoid()
            e = dense.s[name] @ (model.item_embedding.weight * gate)
            views[name] = torch.cat([dense.r_hat() @ e, e])
        side = 0
        for name, h in views.items():
            if name != 'item':
                first, _, second = model.attention[name]
                a = linear(second, linear(first, views['item']).tanh()).softmax(1)
                assert torch.allclose(a.sum(1), torch.ones(20).double())
                h = a * h
            side = side + linear(model.preference[name], c).sigmoid() * h
        return side_losses(dense, c, side / (num_modalities + 1), temperature)

    assert_equal_to_reference(model.double(), data, reference)


def test_filters_of_ones_do_nothing_or_convolve() -> None:
    module = SpectralFilter(8)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([1.0, 0.0]))
    x, y = torch.randn(5, 8), torch.randn(5, 8)
    assert torch.allclose(module(x), x, atol=1e-6)
    rolled = torch.stack([x.roll(i, 1) for i in range(8)], 2)
    expected = (rolled @ y.unsqueeze(2)).squeeze(2) / 8**0.5
    assert torch.allclose(module(x, y), expected, atol=1e-5)
    assert repr(module) == 'SpectralFilter(8)'


def test_gates_are_dropped_in_training() -> None:
    model = SMORE(3, 2, {'image': 4}, embedding_dim=8, dropout=0.5)
    views = {'image': torch.randn(50, 8), 'item': torch.randn(50, 8)}
    c = torch.randn(50, 8)
    share = (model.fuse(views, c) == 0).float().mean()
    assert 0.15 < share < 0.35
    assert (model.eval().fuse(views, c) != 0).all()
