import pytest
import torch
from graphs import irregular_graph
from references.blocks import (
    TRIPLETS,
    Dense,
    assert_equal_to_reference,
    graph_with_similar,
    half_squares,
    ids,
    ranking,
    unit,
)
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import describes, modalities, model_inputs
from lgmrec_pyg.nn import LATTICE
from lgmrec_pyg.transforms import SimilarItems


def graph_without_ties(num_modalities: int) -> HeteroData:
    r"""One item has no features: two would have one projection, the bias, and be
    equally near to every other.
    """
    data = irregular_graph(num_modalities)
    for name in modalities(data):
        owner = torch.tensor([4, 1, 0, 6, 3, 1, 7, 5, 2])  # Item 1 twice, never 8.
        data[name].x = torch.randn(owner.numel(), data[name].num_features).double()
        edge_index = torch.stack([torch.arange(owner.numel()), owner])
        data[describes(name)].edge_index = edge_index
    return SimilarItems(k=3)(data)


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
@pytest.mark.parametrize('num_similar_layers', [1, 2])
def test_equal_to_dense_reference(num_similar_layers, num_modalities, temperature):
    data = graph_without_ties(num_modalities)
    model = LATTICE.from_data(
        data,
        embedding_dim=8,
        num_similar_layers=num_similar_layers,
        k=4,
        skip_weight=0.6,
        reg_weight=0.2,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        weights = model.modality_weight.softmax(0)
        learned = frozen = 0
        for w, name in zip(weights, dense.x, strict=True):
            f = unit(dense.project(model, name))
            s = f @ f.t()
            top = s.detach().topk(4, dim=1).indices
            mask = torch.zeros_like(s).scatter_(1, top, 1.0)
            learned, frozen = learned + w * s * mask, frozen + w * dense.s[name]
        total = learned.sum(1)
        scale = torch.where(total > 0, total, torch.inf).rsqrt()
        g = 0.4 * scale.view(-1, 1) * learned * scale + 0.6 * frozen
        a = dense.adjacency() + torch.eye(20)
        e = dense.light_gcn(ids(model), 2, a / a.sum(1, keepdim=True))
        user, item = dense.split(e)
        h = torch.linalg.matrix_power(g, num_similar_layers)
        item = item + unit(h @ model.item_embedding.weight)
        rank, reg = ranking(user, item, temperature), half_squares(user, item)
        return user, item, rank + 0.2 * reg, rank, reg

    assert_equal_to_reference(model.double().eval(), data, reference)


def test_similarities_are_learned_once_an_epoch() -> None:
    data = graph_with_similar()
    model = LATTICE.from_data(data, embedding_dim=8, k=4).double()
    inputs = model_inputs(data)
    model.train()
    for first in (True, False, False):
        model.zero_grad()
        out = model(*inputs)
        model.loss(out, *TRIPLETS).total.backward()
        assert (model.modality_weight.grad is not None) == first
    with torch.no_grad():
        model.projection['text'].bias += 1
    assert torch.equal(model(*inputs).item, out.item)
    assert not torch.equal(model.eval()(*inputs).item, out.item)
    assert model.train()(*inputs).item.requires_grad
    other = model_inputs(graph_with_similar())
    for name in ('image', 'text'):
        other[0][name].mul_(torch.rand(other[0][name].size(0), 1))
    assert not torch.equal(model(*other).item, model(*inputs).item)
    with torch.no_grad():
        model.train()(*inputs)
    model.loss(model(*inputs), *TRIPLETS).total.backward()
    assert model.modality_weight.grad is not None


def test_learns_anew_in_evaluation():
    data = graph_with_similar(union=True)
    model = LATTICE.from_data(data, embedding_dim=8).double().eval()
    inputs = model_inputs(data)
    before = model.embed(*inputs)[1]
    with torch.no_grad():
        model.modality_weight.copy_(torch.tensor([9.0, -9.0]))
    assert not torch.allclose(model.embed(*inputs)[1], before)
