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
)

from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import DGR, DesmoothedPropagation, LightGCN
from lgmrec_pyg.nn.models.dgr import BACKBONES


def omega(dense: Dense) -> torch.Tensor:
    counts = dense.r.t() @ dense.r
    scale = (counts.sum(1) + 1).rsqrt()
    return scale.view(-1, 1) * counts * scale


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('released', [False, True])
def test_equal_to_dense_reference(released, temperature) -> None:
    data = irregular_graph()
    model = DGR.from_data(
        data,
        embedding_dim=8,
        alphas=(0.3, 1.1, 0.2),
        released=released,
        near_weight=0.3,
        far_weight=0.2,
        k=2,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        a, e = dense.a_hat(), ids(model.backbone)
        p = dense.adjacency().sum(1, keepdim=True).sqrt()
        projector = p @ p.t() / (p**2).sum()
        layers = [e]
        for alpha in (0.3, 1.1, 0.2):
            e = a @ layers[-1]
            limit = projector @ e / (2 if released else 1)
            layers.append((1 + alpha) * e - alpha * limit)
        user, item = dense.split(torch.stack(layers).mean(0))
        rank = ranking(user, item, temperature)
        backbone = rank + 1e-4 * half_squares(*dense.split(ids(model.backbone)))
        w, near, far = omega(dense), 0, 0
        for u, i in TRIPLETS[:2].t():
            order = w[i].argsort(descending=True)
            for j in order[:2]:
                near = near - w[i, j] * (user[u] @ item[j]).sigmoid().log()
            some = order[w[i, order] > 0]
            for j in some[-2:] if some.numel() >= 6 else []:
                far = far - w[i, j] * (user[u] @ item[j]).sigmoid().log()
        total = backbone + 0.3 * near - 0.2 * far
        return user, item, total, rank, backbone, near, far

    # Equal weights may be in any order.
    model.correction._lists.function = lambda graph: exact_lists(Dense(data))
    assert_equal_to_reference(model.double(), data, reference)


def exact_lists(dense: Dense) -> list:
    w = omega(dense)
    order = w.argsort(dim=1, descending=True)
    near = order[:, :2]
    far, weight = near.clone(), torch.zeros(9, 2).double()
    for i in range(9):
        some = order[i][w[i, order[i]] > 0]
        if some.numel() >= 6:
            far[i], weight[i] = some[-2:], w[i, some[-2:]]
    return [(near, w.gather(1, near)), (far, weight)]


def test_lists_hold_the_best_and_the_worst_items() -> None:
    data = irregular_graph()
    model, dense = DGR.from_data(data, k=2), Dense(data)
    lists = model.correction._lists(model_inputs(data)[1].interactions)
    w = omega(dense)
    assert torch.allclose(w, w.t())
    for (index, weight), (_, expected) in zip(lists, exact_lists(dense), strict=True):
        weight = weight.double()
        assert torch.allclose(weight.sort(1)[0], expected.sort(1)[0], atol=1e-6)
        used = weight > 0
        assert torch.allclose(w.gather(1, index)[used], weight[used])


def test_without_its_parts_it_is_the_backbone() -> None:
    data = irregular_graph()
    kwargs = {'alphas': (0.0, 0.0), 'near_weight': 0.0, 'far_weight': 0.0}
    model = DGR.from_data(data, embedding_dim=8, **kwargs).double()
    other = LightGCN.from_data(data, embedding_dim=8).double()
    other.load_state_dict(model.backbone.state_dict())
    inputs = model_inputs(data)
    for x, y in zip(model.embed(*inputs), other.embed(*inputs), strict=True):
        assert torch.allclose(x, y)
    losses = model.loss(model(*inputs), *TRIPLETS)
    expected = other.loss(other(*inputs), *TRIPLETS)
    assert torch.allclose(losses.total, expected.total)


def test_what_is_removed_is_the_limit_of_smoothing() -> None:
    data = irregular_graph()
    graph, dense = model_inputs(data)[1].interactions, Dense(data)
    x = torch.randn(20, 4, dtype=torch.float64)
    out = torch.cat(DesmoothedPropagation([1e9], 'last')(*x.split([11, 9]), graph))
    p = dense.adjacency().sum(1).sqrt()
    assert torch.allclose(p @ out / out.norm(), torch.zeros(4).double(), atol=1e-6)


@pytest.mark.parametrize('backbone', BACKBONES)
def test_backbones(backbone: str) -> None:
    data = graph_with_similar(union=True)
    model = DGR.from_data(data, embedding_dim=8, backbone=backbone).double()
    inputs = model_inputs(data)
    model.loss(model(*inputs), *TRIPLETS).total.backward()
    assert model.eval().embed(*inputs)[0].size(0) == 11
    assert isinstance(model.backbone.collaborative, DesmoothedPropagation)


def test_a_backbone_keeps_its_loss() -> None:
    model = DGR(3, 2, {'text': 2}, backbone='BM3')
    assert model.backbone.ranks_by_alignment
    model = DGR(3, 2, {'text': 2}, backbone='BM3', ranking_loss='softmax')
    assert not model.backbone.ranks_by_alignment
    assert model.ranks_by_cosine


def test_unknown_backbone() -> None:
    with pytest.raises(ValueError, match="'backbone' needs to be one of"):
        DGR(3, 2, {}, backbone='NGCF')
