import pytest
import torch

from benchmarks.graphs import Graph, compress, load_graph, power_law_graph


def test_power_law_graph_is_distinct_and_in_range():
    graph = power_law_graph(5000, 700, 300)
    assert graph.edge_index.size() == (2, 5000)
    assert graph.edge_index.unique(dim=1).size(1) == 5000
    assert graph.edge_index.min() >= 0
    assert (graph.edge_index.max(dim=1).values < torch.tensor([700, 300])).all()


def test_power_law_graph_is_deterministic():
    first, second = (power_law_graph(1000, seed=3) for _ in range(2))
    assert first.edge_index.equal(second.edge_index)
    assert not first.edge_index.equal(power_law_graph(1000, seed=4).edge_index)


def test_power_law_graph_is_skewed_and_not_sorted_by_degree():
    graph = power_law_graph(100_000)
    degree = graph.edge_index[1].bincount(minlength=graph.size[1])
    ranked = degree.sort(descending=True).values
    # A power law is linear in log-log: rank 16 to 1024 spans a factor of 64.
    ratio = float(ranked[15] / ranked[1023])
    assert 64**0.7 < ratio < 64**0.9
    top = degree.topk(50).indices.double().mean()
    assert graph.size[1] * 0.3 < top < graph.size[1] * 0.7


def test_power_law_graph_refuses_the_impossible():
    with pytest.raises(ValueError, match=r"'num_edges'.*got 60"):
        power_law_graph(60, 10, 10)


@pytest.mark.parametrize('reverse', [False, True])
def test_compress(reverse):
    edge_index = torch.tensor([[0, 2, 1, 0], [1, 0, 1, 0]])
    graph = Graph('tiny', edge_index, (3, 2))
    adj = compress(graph, torch.int32, torch.float64, reverse)
    assert adj.crow_indices().dtype == torch.int32
    expected = torch.zeros(2, 3, dtype=torch.double)
    degree = [2, 1, 1], [2, 2]
    for src, dst in edge_index.t().tolist():
        expected[dst, src] = (degree[0][src] * degree[1][dst]) ** -0.5
    expected = expected.t() if reverse else expected
    assert torch.allclose(adj.to_dense(), expected, atol=1e-7)


def test_load_graph(tmp_path):
    (tmp_path / 'toy').mkdir()
    text = 'userID\titemID\tx_label\n0\t1\t0\n1\t0\t0\n2\t2\t1\n'
    (tmp_path / 'toy' / 'toy.inter').write_text(text)
    graph = load_graph('toy', str(tmp_path))
    assert graph.size == (3, 3)
    assert graph.edge_index.tolist() == [[0, 1], [1, 0]]


def test_load_graph_says_how_to_name_the_folder():
    with pytest.raises(SystemExit, match='--data DIR'):
        load_graph('toy', None)
