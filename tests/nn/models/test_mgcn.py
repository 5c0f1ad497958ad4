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

from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import MGCN, LightGCN


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
@pytest.mark.parametrize('layers', [(2, 1), (1, 2)])
def test_equal_to_dense_reference(layers, num_modalities, temperature) -> None:
    data = graph_with_similar(num_modalities)
    model = MGCN.from_data(
        data,
        embedding_dim=8,
        num_layers=layers[0],
        num_similar_layers=layers[1],
        contrast_weight=0.3,
        reg_weight=0.2,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        c = dense.light_gcn(ids(model), layers[0])
        views = []
        for name in dense.x:
            f = dense.project(model, name)
            e = model.item_embedding.weight * linear(model.purifier[name], f).sigmoid()
            e = torch.linalg.matrix_power(dense.s[name], layers[1]) @ e
            views.append(torch.cat([dense.r_hat() @ e, e]))
        score = [
            linear(model.fusion.query, linear(model.fusion.hidden, h).tanh())
            for h in views
        ]
        weight = torch.cat(score, 1).softmax(1)
        common = sum(weight[:, [i]] * h for i, h in enumerate(views))
        side = common
        for name, h in zip(dense.x, views, strict=True):
            gate = linear(model.preference[name], c).sigmoid()
            side = side + gate * (h - common)
        return side_losses(dense, c, side / (len(views) + 1), temperature)

    assert_equal_to_reference(model.double(), data, reference)


def test_without_similar_items_it_is_lightgcn() -> None:
    data = graph_with_similar()
    for edge_type in data.edge_types:
        if edge_type[1].startswith('similar'):
            data[edge_type].edge_weight.zero_()
    model = MGCN.from_data(data, embedding_dim=8).double()
    other = LightGCN.from_data(data, embedding_dim=8).double()
    other.load_state_dict(model.state_dict(), strict=False)
    for x, y in zip(
        model.embed(*model_inputs(data)), other.embed(*model_inputs(data)), strict=True
    ):
        assert torch.allclose(x, y)


def test_equal_views_are_their_fusion() -> None:
    model = MGCN(3, 2, {'image': 4, 'text': 4}, embedding_dim=8)
    h, c = torch.randn(5, 8), torch.randn(5, 8)
    assert torch.allclose(model.fuse([h, h], c), h / 3)
