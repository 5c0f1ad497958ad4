import pytest
import torch
from graphs import ADJ_KINDS, dense_interactions, inputs_of, irregular_graph
from torch_geometric import EdgeIndex
from torch_geometric.nn import LGConv

from lgmrec_pyg.graph import INTERACTS, REV_INTERACTS
from lgmrec_pyg.nn import BipartiteConv

INDEX = torch.tensor([[0, 0, 1], [0, 1, 1]])  # Sources 0, 1; targets 0, 1, 2.
X = torch.tensor([[1.0, 2.0], [10.0, 20.0]])


@pytest.mark.parametrize(
    ('norm', 'scale'),
    [
        (None, [[1, 0], [1, 1], [0, 0]]),
        ('mean', [[1, 0], [0.5, 0.5], [0, 0]]),
        ('sym', [[0.5**0.5, 0], [0.5, 0.5**0.5], [0, 0]]),
    ],
)
def test_hand_computed(norm: str | None, scale: list) -> None:
    conv = BipartiteConv(norm)
    expected = torch.tensor(scale, dtype=torch.float) @ X
    assert torch.allclose(conv(X, INDEX, num_dst=3), expected)
    assert torch.allclose(conv((X, torch.empty(3, 7)), INDEX), expected)


@pytest.mark.parametrize('kind', ADJ_KINDS)
def test_adjacency_kinds(kind: str) -> None:
    data = irregular_graph()
    _, edges, *weights = inputs_of(data, kind)
    compressed = kind == 'compressed'
    adj = edges.interactions.to_item if compressed else edges[INTERACTS]
    x = torch.randn(11, 6, dtype=torch.float64, requires_grad=True)
    dense = dense_interactions(data)
    scale_u = dense.sum(1).clamp(min=1).rsqrt()
    scale_i = dense.sum(0).clamp(min=1).rsqrt()
    expected = (scale_i[:, None] * dense.t() * scale_u) @ x
    weight = weights[0][INTERACTS] if weights else None
    out = BipartiteConv()(x, adj, weight, num_dst=9)
    assert torch.allclose(out, expected)
    grad = torch.randn_like(out)
    (x_grad,) = torch.autograd.grad(out, x, grad)
    (expected_grad,) = torch.autograd.grad(expected, x, grad)
    assert torch.allclose(x_grad, expected_grad)


def test_both_directions_are_one_lightgcn_layer() -> None:
    data = irregular_graph()
    _, index = inputs_of(data, 'edge_index')
    x = torch.randn(20, 4, dtype=torch.float64)
    user, item = index[INTERACTS]
    square = torch.stack([torch.cat([user, item + 11]), torch.cat([item + 11, user])])
    expected = LGConv()(x, square)
    conv = BipartiteConv()
    out_user = conv(x[11:], index[REV_INTERACTS], num_dst=11)
    out_item = conv(x[:11], index[INTERACTS], num_dst=9)
    assert torch.allclose(torch.cat([out_user, out_item]), expected)


def test_errors_and_repr() -> None:
    assert repr(BipartiteConv('mean')) == "BipartiteConv(norm='mean')"
    with pytest.raises(ValueError, match=r"'norm' needs to be .* \(got 'max'\)"):
        BipartiteConv('max')
    with pytest.raises(ValueError, match="'num_dst' is required"):
        BipartiteConv()(X, INDEX)


@pytest.mark.parametrize('sort_order', [None, 'row', 'col'])
def test_edge_index_without_a_size(sort_order: str | None) -> None:
    index = torch.tensor([[0, 0, 1], [0, 1, 1]])
    edge_index = EdgeIndex(index, sort_order=sort_order)
    out = BipartiteConv()(X, edge_index, num_dst=5)
    assert torch.equal(out, BipartiteConv()(X, index, num_dst=5))
    assert out.size(0) == 5


def test_weights_follow_the_type_of_features() -> None:
    weight = torch.rand(3, dtype=torch.float64)
    assert BipartiteConv()(X, INDEX, weight, num_dst=3).dtype == torch.float32
