import pytest
import torch
from graphs import ADJ_KINDS, dense_interactions, inputs_of, irregular_graph
from torch import Tensor

from lgmrec_pyg.graph import INTERACTS, BipartiteGraph, ModalityGraph, MultimodalGraph
from lgmrec_pyg.ops import spmm

INDEX = torch.tensor([[0, 0, 1], [0, 1, 1]])  # (user, item)


def dense(adj) -> Tensor:
    return spmm(adj, torch.eye(adj.size[1], dtype=torch.float64))


def test_weights_are_those_of_the_degrees() -> None:
    graph = BipartiteGraph.from_adj(INDEX, num_users=3, num_items=2)
    expected = torch.tensor([[2**-0.5, 0, 0], [0.5, 2**-0.5, 0]]).double()
    assert torch.allclose(dense(graph.to_item), expected)
    assert torch.equal(dense(graph.to_user), dense(graph.to_item).t())
    assert (graph.num_users, graph.num_items) == (3, 2)


def test_equal_directions_share_memory() -> None:
    graph = BipartiteGraph.from_adj(
        INDEX, INDEX.flip(0), num_users=3, num_items=2, dtype=torch.float64
    )
    assert graph.to_user.csr is graph.to_item.csr_t


def test_unlike_directions_stay_apart() -> None:
    there, back = torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6])
    graph = BipartiteGraph.from_adj(INDEX, INDEX.flip(0), there, back, 3, 2)
    assert dense(graph.to_item).tolist() == [[1, 0, 0], [2, 3, 0]]
    assert dense(graph.to_user).tolist() == [[4, 5], [0, 6], [0, 0]]


@pytest.mark.parametrize('side', ['users', 'items'])
def test_weights_from_one_side_only_are_refused(side: str) -> None:
    weights = (torch.ones(3), None) if side == 'users' else (None, torch.ones(3))
    with pytest.raises(ValueError, match=f'weights only from {side}'):
        BipartiteGraph.from_adj(INDEX, INDEX.flip(0), *weights, 3, 2)


def test_items_without_a_modality_do_not_count() -> None:
    graph = BipartiteGraph.from_adj(INDEX, num_users=3, num_items=2)
    describes = torch.tensor([[0, 1], [1, 1]])  # Two nodes of item 1, none of item 0.
    modality = ModalityGraph.from_adj(describes, graph, num_nodes=2)
    assert dense(modality.to_item).tolist() == [[0, 0], [0.5, 0.5]]
    assert modality.described.tolist() == [[0], [1]]
    assert modality.user_degree.tolist() == [[1], [1], [1]]


@pytest.mark.parametrize('kind', ADJ_KINDS)
def test_every_adjacency_gives_the_same_graph(kind: str) -> None:
    data = irregular_graph()
    graph = inputs_of(data, kind)[1]
    if kind != 'compressed':
        num_nodes = {name: data[name].num_nodes for name in data.node_types}
        _, adj_dict, *weights = inputs_of(data, kind)
        graph = MultimodalGraph.from_dict(adj_dict, *(weights or [None]), num_nodes)
    r = dense_interactions(data)
    degree = r.sum(1, keepdim=True).clamp(min=1) * r.sum(0).clamp(min=1)
    expected = r * degree.rsqrt()
    assert torch.allclose(dense(graph.interactions.to_user), expected, atol=1e-6)
    assert torch.allclose(dense(graph.interactions.to_item), expected.t(), atol=1e-6)
    assert list(graph.modality) == ['image', 'text']


def test_interactions_are_needed() -> None:
    with pytest.raises(ValueError, match="'adj_dict' needs to hold the edge type"):
        MultimodalGraph.from_dict({})
    assert INTERACTS[1] == 'interacts'


def test_equal_weights_that_are_learned_stay_apart() -> None:
    weights = [torch.ones(3, requires_grad=True) for _ in range(2)]
    graph = BipartiteGraph.from_adj(INDEX, INDEX.flip(0), *weights, 3, 2)
    total = 2 * spmm(graph.to_item, torch.ones(3, 1)).sum()
    total = total + spmm(graph.to_user, torch.ones(2, 1)).sum()
    there, back = torch.autograd.grad(total, weights)
    assert there.tolist() == [2, 2, 2]
    assert back.tolist() == [1, 1, 1]
