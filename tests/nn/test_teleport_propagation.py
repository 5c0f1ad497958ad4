import pytest
import torch
from graphs import irregular_graph
from references.blocks import Dense
from torch_geometric.nn import APPNP

from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import TeleportPropagation


@pytest.mark.parametrize('num_layers', [0, 1, 4])
def test_equal_to_appnp_of_pyg(num_layers: int) -> None:
    data = irregular_graph()
    x = torch.randn(20, 8, dtype=torch.float64)
    user, item = data[INTERACTS].edge_index
    index = torch.stack([torch.cat([user, item + 11]), torch.cat([item + 11, user])])
    expected = APPNP(num_layers, 0.1)(x, index)
    graph = model_inputs(data)[1].interactions
    out = TeleportPropagation(num_layers)(*x.split([11, 9]), graph)
    assert torch.allclose(torch.cat(out), expected)


def test_dropout_of_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    data = irregular_graph()
    graph, dense = model_inputs(data)[1].interactions, Dense(data)
    module = TeleportPropagation(2, dropout=0.5)
    drawn = []

    def dropout(x: torch.Tensor, p: float, training: bool) -> torch.Tensor:
        if not training:
            return x
        drawn.append(torch.bernoulli(torch.full_like(x, 1 - p)) / (1 - p))
        return x * drawn[-1]

    monkeypatch.setattr('lgmrec_pyg.nn.teleport_propagation.dropout', dropout)
    x = torch.randn(20, 8, dtype=torch.float64, requires_grad=True)
    out = torch.cat(module(*x.split([11, 9]), graph))
    a = dense.adjacency() + torch.eye(20)
    scale = a.sum(1).rsqrt()
    a = scale.view(-1, 1) * a * scale
    mask = torch.zeros_like(a)
    to_user, to_item, loop_user, loop_item = drawn
    user, item = graph.to_user.csr, graph.to_item.csr
    mask[user.row, user.col + 11] = to_user
    mask[item.row + 11, item.col] = to_item
    mask.diagonal().copy_(torch.cat([loop_user, loop_item]).view(-1))
    expected = x
    for _ in range(2):
        expected = 0.9 * (a * mask) @ expected + 0.1 * x
    assert torch.allclose(out, expected)
    grads = [torch.autograd.grad(y.square().sum(), x)[0] for y in (out, expected)]
    assert torch.allclose(*grads)
    assert len(drawn) == 4  # One draw for all layers.
    module.eval()(*x.split([11, 9]), graph)
    assert len(drawn) == 4
