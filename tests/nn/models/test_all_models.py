r"""What every model has in common: it trains, saves, and ranks like LGMRec."""

import json
import math

import pytest
import torch
from references.blocks import graph_with_similar
from torch_geometric.data import HeteroData

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import load_model, save_model
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import SimilarItems

MODELS = {
    name: {'embedding_dim': 8}
    for name in ('LightGCN', 'FREEDOM', 'MGCN', 'BM3', 'VBPR', 'SMORE', 'LATTICE')
} | {
    'MIGGT': {'embedding_dim': 8, 'hidden_dim': 8},
    'DGR': {'embedding_dim': 8, 'backbone': 'FREEDOM', 'alphas': [0.1, 1.1]},
    'SRGFormer': {'embedding_dim': 8},
    'GMGL': {'embedding_dim': 8},
    'PGL': {'embedding_dim': 8, 'contrast_weight': 0.1},
}


@pytest.fixture(scope='module')
def data() -> HeteroData:
    kwargs = {'num_users': 300, 'num_items': 200, 'num_interactions': 3_000}
    return SimilarItems(union=True)(SyntheticMultimodal(**kwargs)[0])


@pytest.mark.parametrize('ranking_loss', ['own', 'softmax'])
@pytest.mark.parametrize('name', MODELS)
def test_trains_saves_and_ranks(name, ranking_loss, data, tmp_path) -> None:
    cls, kwargs = getattr(nn, name), MODELS[name]
    if ranking_loss != 'own':
        kwargs = kwargs | {'ranking_loss': ranking_loss}
    model, inputs = cls.from_data(data, **kwargs), model_inputs(data)
    before = [x.detach().clone() for x in model.parameters() if x.numel() > 0]
    validate = Evaluator.from_data(data, 'val')
    history = fit(
        model,
        inputs,
        TripletSampler.from_data(data, batch_size=512),
        validate,
        epochs=2,
        progress=False,
    )
    assert all(map(math.isfinite, history.losses[-1].values()))
    after = [x for x in model.parameters() if x.numel() > 0]
    assert not any(torch.equal(x, y) for x, y in zip(before, after, strict=True))

    with torch.no_grad():
        first, second = model.embed(*inputs), model.embed(*inputs)
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))
    assert [x.size(0) for x in first] == [300, 200]
    if ranking_loss == 'softmax':
        assert all((x.norm(dim=1) < 1 + 1e-5).all() for x in first)

    json.dumps(model.settings)
    save_model(model, tmp_path / name, data=data)
    twin = load_model(tmp_path / name, data=data)
    with torch.no_grad():
        again = twin.embed(*inputs)
    assert all(torch.equal(x, y) for x, y in zip(again, first, strict=True))
    assert Recommender.from_model(twin, data).recommend(0, k=5).ids
    assert repr(twin).startswith(f'{name}(300, 200, ')


@pytest.mark.parametrize('name', MODELS)
def test_reset_parameters(name, data) -> None:
    model = getattr(nn, name).from_data(data, **MODELS[name])
    torch.manual_seed(0)
    model.reset_parameters()
    expected = {key: x.clone() for key, x in model.state_dict().items()}
    for x in model.parameters():
        torch.nn.init.normal_(x)
    torch.manual_seed(0)
    model.reset_parameters()
    for key, x in model.state_dict().items():
        assert torch.equal(x, expected[key]), key


@pytest.mark.parametrize('name', ['FREEDOM', 'LATTICE', 'MIGGT', 'PGL'])
def test_continued_runs_end_like_others(name, data, tmp_path) -> None:
    r"""Models whose training keeps something besides weights, from step to step."""

    def run(epochs: int, seed: int, **kwargs) -> dict:
        torch.manual_seed(seed)
        model = getattr(nn, name).from_data(data, **MODELS[name])
        sampler = TripletSampler.from_data(data, batch_size=512)
        inputs, validate = model_inputs(data), Evaluator.from_data(data, 'val')
        fit(model, inputs, sampler, validate, epochs=epochs, progress=False, **kwargs)
        return model.state_dict()

    expected = run(4, seed=0)
    path = tmp_path / 'run.safetensors'
    run(2, seed=0, checkpoint=path)
    out = run(4, seed=1, checkpoint=path, resume=True)
    for key, x in out.items():
        assert torch.equal(x, expected[key]), key


def test_published_settings_fit_the_models(data) -> None:
    for name, preset in nn.PUBLISHED.items():
        model = getattr(nn, name).from_data(data, **preset.model)
        _, graph = model_inputs(preset.transform(data))
        model.check({'image': data['image'].x, 'text': data['text'].x}, graph)
    assert set(nn.PUBLISHED) == set(MODELS)


@pytest.mark.parametrize('name', [*MODELS, 'LGMRec'])
def test_a_new_model_is_initialized_as_by_its_reset(name) -> None:
    model = getattr(nn, name).from_data(graph_with_similar(union=True))
    new = {key: x.detach().clone() for key, x in model.named_parameters()}
    model.reset_parameters()
    for key, x in model.named_parameters():
        if x.numel() >= 256:
            expected = pytest.approx(float(x.detach().std()), rel=0.25)
            assert float(new[key].std()) == expected, key
        elif x.numel() > 0 and bool((x == x.flatten()[0]).all()):
            assert torch.equal(new[key], x), key


@pytest.mark.parametrize('name', [*MODELS, 'LGMRec'])
def test_a_model_refuses_another_graph(name) -> None:
    data = graph_with_similar(union=True)
    model = getattr(nn, name).from_data(data, embedding_dim=8).double()
    inputs = model_inputs(data)
    model(*inputs)
    model.num_users = 12
    with pytest.raises(ValueError, match='12 users and 9 items of the model'):
        model(*inputs)
