r"""Features that are trained along with a recommender."""

import pytest
import torch
from torch_geometric.data import HeteroData

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import LearnedFeatures, ModalityProjection
from lgmrec_pyg.sampling import SubgraphSampler, TripletSampler
from lgmrec_pyg.storage import extend_model, load_model, save_model
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import SimilarItems

BACKBONES = {
    'BM3': {},
    'FREEDOM': {},
    'GMGL': {},
    'LATTICE': {},
    'LGMRec': {},
    'MGCN': {},
    'MIGGT': {'backbone_settings': {'hidden_dim': 8}},
    'PGL': {},
    'SMORE': {},
    'SRGFormer': {},
    'VBPR': {},
}


@pytest.fixture(scope='module')
def data() -> HeteroData:
    kwargs = {'num_users': 60, 'num_items': 40, 'num_interactions': 600}
    return SimilarItems(union=True)(SyntheticMultimodal(**kwargs)[0])


@pytest.mark.parametrize('name', BACKBONES)
def test_starts_as_the_backbone_and_moves_every_feature(name, data) -> None:
    kwargs = {'embedding_dim': 8} | BACKBONES[name]
    model = LearnedFeatures.from_data(data, backbone=name, **kwargs)
    inputs = model_inputs(data)
    kwargs |= kwargs.pop('backbone_settings', {})
    frozen = getattr(nn, name).from_data(data, **kwargs)
    frozen.load_state_dict(model.backbone.state_dict())
    model.eval()
    frozen.eval()
    with torch.no_grad():
        found, expected = model.embed(*inputs), frozen.embed(*inputs)
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y)

    before = {key: x.detach().clone() for key, x in model.features.items()}
    model.train()
    batch = next(iter(TripletSampler.from_data(data, batch_size=512)))
    model.loss(model(*inputs), *batch).total.backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    for key, x in model.features.items():
        assert not torch.equal(x, before[key])


def test_the_gradient_of_features() -> None:
    projection = ModalityProjection(3, 2, num_hyperedges=1).double()
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    out = projection(x)
    torch.testing.assert_close(out, projection(x.detach()))
    grad = torch.randn_like(out)
    out.backward(grad)
    weight = torch.cat([projection.weight, projection.hyperedge], dim=1)
    torch.testing.assert_close(x.grad, grad @ weight.t())
    assert torch.autograd.gradcheck(projection, x)


def test_is_trained_saved_and_loaded(data, tmp_path) -> None:
    settings = {'num_similar_layers': 2}
    model = LearnedFeatures.from_data(
        data, embedding_dim=8, backbone_settings=settings, ranking_loss='softmax'
    )
    assert model.backbone.similar.num_layers == 2
    inputs, val = model_inputs(data), Evaluator.from_data(data, 'val')
    fit(model, inputs, TripletSampler.from_data(data), val, epochs=2, progress=False)
    save_model(model, tmp_path / 'model', data=data)
    twin = load_model(tmp_path / 'model', data=data)
    with torch.no_grad():
        pairs = zip(model.embed(*inputs), twin.embed(*inputs), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    assert repr(twin).startswith('LearnedFeatures(60, 40, ')


def test_trains_by_the_loss_of_its_backbone(data) -> None:
    inputs, batch = model_inputs(data), torch.tensor([[0, 1], [0, 1], [4, 4]])
    kwargs = {'dropout': 0.0, 'modality_weight': 0.5}
    model = LearnedFeatures.from_data(data, backbone='BM3', backbone_settings=kwargs)
    plain = nn.BM3.from_data(data, **kwargs)
    plain.load_state_dict(model.backbone.state_dict())
    found = model.loss(model(*inputs), *batch)
    assert found == plain.loss(plain(*inputs), *batch)
    model = LearnedFeatures.from_data(data, backbone='BM3', ranking_loss='bpr')
    assert not model.backbone.ranks_by_alignment
    with pytest.raises(ValueError, match="'ranking_loss' needs to be one of"):
        LearnedFeatures.from_data(data, backbone='VBPR', ranking_loss='bootstrap')


def test_modalities_may_have_any_name() -> None:
    dims = {'a.b': 3, 'type': 2, 'items': 1, 'keys': 4, 'values': 2}
    model = LearnedFeatures(3, 5, dims, dict.fromkeys(dims, 5), backbone='VBPR')
    sizes = {name: x.size(1) for name, x in model.features.items()}
    assert sizes == dims


def test_is_not_extended_since_features_have_no_ids(data) -> None:
    with pytest.raises(ValueError, match="'LearnedFeatures' cannot be extended"):
        extend_model(LearnedFeatures.from_data(data), data, data)


@pytest.mark.parametrize('wrapper', [LearnedFeatures, nn.DGR])
def test_parts_of_a_graph_are_refused(data, wrapper) -> None:
    model = wrapper.from_data(data, backbone='LGMRec')
    with pytest.raises(ValueError, match='needs a whole graph'):
        fit(model, data, SubgraphSampler(data, [4, 3]), epochs=1, progress=False)


def test_an_unknown_backbone_is_refused(data) -> None:
    for name in ('FREEDOMS', 'PAPER', 'Losses', 'LearnedFeatures', 'GraphRecommender'):
        with pytest.raises(ValueError, match="'backbone' needs to be the name of a"):
            LearnedFeatures.from_data(data, backbone=name)
