import pytest
import torch
from graphs import irregular_graph
from references.blocks import (
    TRIPLETS,
    Dense,
    assert_equal_to_reference,
    linear,
    ranking,
)

from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import MIGGT


def prelu(x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, slope * x)


def norm(layer: torch.nn.BatchNorm1d, x: torch.Tensor, training: bool) -> torch.Tensor:
    mean, var = layer.running_mean, layer.running_var
    if training:
        mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) / (var + layer.eps).sqrt() * layer.weight + layer.bias


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
@pytest.mark.parametrize('training', [False, True])
def test_equal_to_dense_reference(
    training, num_modalities, temperature, monkeypatch
) -> None:
    data = irregular_graph(num_modalities)
    off = ('input', 'hidden', 'user', 'item', 'edge', 'output')
    model = MIGGT.from_data(
        data,
        embedding_dim=8,
        num_modality_layers={'image': 2, 'text': 0, 'audio': 3},
        hidden_dim=6,
        num_samples=3,
        dropout=dict.fromkeys(off, 0.0),
        reg_weight=0.1,
        ranking_loss='softmax' if temperature else 'bpr',
    )
    model.double().train(training)
    sample = model.eval().attention.sample(20, 9, torch.device('cpu'))
    monkeypatch.setattr(model.train(training).attention, 'sample', lambda *_: sample)

    def propagate(dense: Dense, x: torch.Tensor, num_layers: int) -> torch.Tensor:
        a = dense.adjacency() + torch.eye(20)
        scale = a.sum(1).rsqrt()
        a, h = scale.view(-1, 1) * a * scale, x
        for _ in range(num_layers):
            h = 0.9 * a @ h + 0.1 * x
        return h

    def reference(model, dense: Dense) -> tuple:
        users, items = dense.r.new_zeros(11, 8), dense.r.new_zeros(9, 8)
        z = propagate(dense, torch.cat([model.user_embedding.weight, items]), 4)
        for name, k in zip(dense.x, (2, 0, 3), strict=False):
            bn1, act1, _, last, bn2, act2 = model.mlp[name]
            f = prelu(norm(bn1, dense.project(model, name), training), act1.weight)
            f = prelu(norm(bn2, linear(last, f), training), act2.weight)
            z = z + propagate(dense, torch.cat([users, f]), k)
        t = torch.stack([torch.stack([z[n], *z[sample[n] + 11]]) for n in range(20)])
        q, k = linear(model.attention.query, t), linear(model.attention.key, t)
        attention = (q @ k.transpose(1, 2) / 2).softmax(2)
        o = 0.1 * attention @ t + 0.9 * t
        user, item = o[:11, 0], o[11:, 0]
        rank = 5 * ranking(user, item, temperature)
        u, p, _ = TRIPLETS
        score = (o[p + 11] * user[u].unsqueeze(1)).sum(2)
        unsmooth = -score.softmax(1)[:, 0].log().sum()
        reg = o[:, 0].pow(2).sum() / 2
        return user, item, rank + unsmooth + 0.1 * reg, rank, unsmooth, reg

    assert_equal_to_reference(model, data, reference)


def test_without_samples_there_is_no_attention() -> None:
    data = irregular_graph()
    kwargs = {'embedding_dim': 8, 'hidden_dim': 6}
    model = MIGGT.from_data(data, num_samples=0, **kwargs).double().eval()
    out = model(*model_inputs(data))
    assert torch.allclose(out.item, out.views['sampled'][0])
    assert model.attention.weight == 0.1


def test_evaluation_is_deterministic_and_training_is_not() -> None:
    data = irregular_graph()
    kwargs = {'embedding_dim': 8, 'hidden_dim': 6}
    model = MIGGT.from_data(data, dropout={'edge': 0.5}, **kwargs).double()
    inputs = model_inputs(data)
    assert not torch.equal(model.embed(*inputs)[0], model.embed(*inputs)[0])
    model.eval()
    assert torch.equal(model.embed(*inputs)[0], model.embed(*inputs)[0])
    assert model.dropout['edge'] == 0.5
    assert model.dropout['user'] == 0.3


@pytest.mark.parametrize(
    ('name', 'rate'),
    {
        'input': 0.3,
        'hidden': 0.3,
        'user': 0.3,
        'item': 0.3,
        'edge': 0.2,
        'output': 0.2,
    }.items(),
)
def test_each_dropout_acts(name: str, rate: float) -> None:
    data = irregular_graph()
    kwargs = {'embedding_dim': 8, 'hidden_dim': 6, 'num_samples': 0}
    assert MIGGT.from_data(data, **kwargs).dropout[name] == rate
    none = dict.fromkeys(['input', 'hidden', 'user', 'item', 'edge', 'output'], 0.0)
    model = MIGGT.from_data(data, dropout=none, **kwargs).double()
    other = MIGGT.from_data(data, dropout=none | {name: 0.5}, **kwargs).double()
    other.load_state_dict(model.state_dict())
    inputs = model_inputs(data)
    expected = torch.cat(model.embed(*inputs))
    assert torch.equal(expected, torch.cat(model.embed(*inputs)))
    assert not torch.allclose(expected, torch.cat(other.embed(*inputs)))


def test_is_initialized_as_published():
    model = MIGGT(2000, 4, {'image': 300}, embedding_dim=64)
    assert float(model.user_embedding.weight.std()) == pytest.approx(1 / 8, rel=0.02)
    assert not model.mlp['image'][3].bias.any()
    assert not model.projection['image'].bias.any()
    assert (model.mlp['image'][1].weight == 0.25).all()
