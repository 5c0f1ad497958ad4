import pytest
import torch
from graphs import irregular_graph
from references.blocks import Dense, normalized

from lgmrec_pyg.graph import BipartiteGraph, model_inputs
from lgmrec_pyg.nn import DegreeDropEdge, EdgeAttention, TeleportPropagation


def dense_of(graph: BipartiteGraph) -> torch.Tensor:
    adj = graph.to_user
    return torch.sparse_csr_tensor(*adj.csr[:3], adj.size).to_dense()


@pytest.mark.parametrize('p', [0.1, 0.5, 0.8])
def test_keeps_so_many_distinct_edges_with_their_own_degrees(p: float) -> None:
    data = irregular_graph()
    graph = model_inputs(data)[1].interactions
    module = DegreeDropEdge(p).train()
    kept = dense_of(module(graph))
    dense = Dense(data)
    num_edges = int(dense.r.sum())
    assert int((kept != 0).sum()) == num_edges - -(-num_edges * p // 1)
    assert (dense.r[kept != 0] == 1).all()
    dense.r = (kept != 0).double()
    assert torch.allclose(kept, normalized(dense.adjacency())[:11, 11:])
    back = torch.sparse_csr_tensor(*module(graph).to_item.csr[:3], (9, 11)).to_dense()
    assert torch.equal(back, kept.t())


def test_edges_of_low_degree_are_kept_more_often() -> None:
    data = irregular_graph()
    graph = model_inputs(data)[1].interactions
    module, r = DegreeDropEdge(0.7), Dense(data).r
    times = sum((dense_of(module.train()(graph)) != 0).double() for _ in range(2000))
    weight = (r.sum(1, keepdim=True) * r.sum(0)).rsqrt()[r == 1]
    share = torch.stack([times[r == 1][weight == w].mean() for w in weight.unique()])
    assert (share.diff() > -30).all()  # Up to noise.
    assert share[-1] > 1.3 * share[0]


def test_draws_are_replaced_in_place_and_repeat_with_the_seed() -> None:
    graph = model_inputs(irregular_graph())[1].interactions
    module, other = DegreeDropEdge(0.5).train(), DegreeDropEdge(0.5)
    first = module(graph)
    before = dense_of(first)
    torch.manual_seed(1)
    second = module.train()(graph)
    assert second.to_user.csr.col is first.to_user.csr.col
    assert not torch.equal(dense_of(first), before)
    torch.manual_seed(1)  # As for a run that was killed, and knows no graph yet.
    assert torch.equal(dense_of(other.train()(graph)), dense_of(first))
    assert module.eval()(graph) is graph
    kept = []
    for seed in (1, 2):  # Without a call of 'train'.
        torch.manual_seed(seed)
        kept.append(dense_of(DegreeDropEdge(0.5)(graph)))
    assert not torch.equal(*kept)
    with pytest.raises(ValueError, match=r"'p' needs to be in \[0, 1\) \(got 1"):
        DegreeDropEdge(1.0)


def test_edges_are_kept_by_the_roots_of_their_degrees():
    graph = model_inputs(irregular_graph())[1].interactions
    user, item = graph.to_user.csr.row, graph.to_user.csr.col
    degree = graph.to_user.degree[user] * graph.to_item.degree[item]
    p = degree.double().rsqrt() / degree.double().rsqrt().sum()
    module = DegreeDropEdge(1 - 1.5 / user.numel())  # Keeps one.
    num_draws, count = 4000, torch.zeros(user.numel()).double()
    for _ in range(num_draws):
        kept = module.train()(graph).to_user.csr
        count[(user == kept.row) & (item == kept.col)] += 1
    expected, freedom = num_draws * p, user.numel() - 1
    chi = float(((count - expected).square() / expected).sum())
    assert chi < freedom + 4 * (2 * freedom) ** 0.5


def test_draws_are_those_of_their_seed():
    graph, module = model_inputs(irregular_graph())[1].interactions, DegreeDropEdge(0.5)

    def kept(later: int) -> torch.Tensor:
        torch.manual_seed(0)
        module.train()
        torch.manual_seed(later)  # Nothing is drawn from here.
        return module(graph).to_user.csr.col.clone()

    assert torch.equal(kept(1), kept(2))


@pytest.mark.parametrize('layer', [EdgeAttention(8), TeleportPropagation(2)])
def test_layers_see_the_edges_of_every_draw(layer: torch.nn.Module) -> None:
    data = irregular_graph()
    graph, module = model_inputs(data)[1].interactions, DegreeDropEdge(0.5)
    x = torch.randn(20, 8).double().split([11, 9])
    layer.double()
    for _ in range(5):
        kept = module.train()(graph)
        copied = BipartiteGraph.from_confidence(
            torch.stack([kept.to_user.csr.row, kept.to_user.csr.col]).clone(),
            torch.ones(kept.to_user.csr.col.numel()),
            11,
            9,
            dtype=torch.float64,
        )
        for out, expected in zip(layer(*x, kept), layer(*x, copied), strict=True):
            assert torch.allclose(out, expected)
