import pytest
import torch
import torch.nn.functional as F
from graphs import irregular_graph
from references.blocks import Dense
from torch import Tensor

from lgmrec_pyg.graph import model_inputs, similar, similarities, validate_graph
from lgmrec_pyg.transforms import SimilarItems, ToAdjacency


def dense_similarity(x: Tensor, k: int, weight: str) -> Tensor:
    has = (x != 0).any(1)
    s = F.normalize(x) @ F.normalize(x).t()
    s[~has], s[:, ~has] = -2, -2
    top = s.topk(min(k, int(has.sum())), dim=1)
    out = torch.zeros_like(s).scatter_(1, top.indices, top.values)
    out[~has] = 0
    if weight == 'uniform':
        out = (out != 0).to(x.dtype)
    out = out.clamp(min=0)
    total = out.sum(1)
    scale = torch.where(total > 0, total, torch.inf).rsqrt()
    return scale.view(-1, 1) * out * scale


@pytest.mark.parametrize('weight', ['cosine', 'uniform'])
@pytest.mark.parametrize('k', [1, 3, 50, {'image': 2, 'text': 4}, {'image': 2}])
def test_equal_to_dense_similarities(k: int | dict, weight: str) -> None:
    data = irregular_graph(num_items=20)
    data['text'].x[3] = 0  # As good as missing.
    data = SimilarItems(k, weight)(data)
    dense = Dense(data)
    for name, x in dense.x.items():
        of_name = k.get(name, 10) if isinstance(k, dict) else k
        expected = dense_similarity(x, of_name, weight)
        if weight == 'uniform' and k == 50:  # Columns have as many entries as rows.
            assert torch.allclose(expected, expected.t())
        assert torch.allclose(dense.s[name], expected)
    validate_graph(data)


def test_uniform_rows_sum_to_one() -> None:
    dense = Dense(SimilarItems(3, 'uniform')(irregular_graph()))
    for name, s in dense.s.items():
        assert torch.allclose(s.sum(1), (dense.x[name] != 0).any(1).double())


def test_union_holds_the_largest_weights() -> None:
    dense = Dense(SimilarItems({'image': 2, 'text': 4}, union=True)(irregular_graph()))
    s = torch.stack([dense.s['image'], dense.s['text']])
    largest = s.masked_fill(s == 0, -torch.inf).amax(0)
    largest[largest.isinf()] = 0
    assert torch.equal(dense.s['item'], largest)


@pytest.mark.parametrize('layout', ['csr', 'edge_index'])
def test_graph_carries_similarities(layout: str) -> None:
    data = SimilarItems(3)(irregular_graph())
    dense = Dense(data)
    data = ToAdjacency(layout)(data)
    assert similarities(data) == [similar('image'), similar('text')]
    _, graph = model_inputs(data)
    for name, adj in graph.similar.items():
        out = torch.sparse_csr_tensor(*adj.csr[:3], adj.size).to_dense()
        assert torch.allclose(out, dense.s[name])


def test_edges_without_weights_are_means() -> None:
    data = irregular_graph()
    index = torch.tensor([[0, 1, 2], [4, 4, 5]])
    data[similar('image')].edge_index = index
    _, graph = model_inputs(data)
    assert graph.similar['image'].csr.value.tolist() == [0.5, 0.5, 1.0]


def test_graph_is_checked() -> None:
    data = SimilarItems(3)(irregular_graph())
    data[similar('text')].edge_index[0, 0] = 99
    with pytest.raises(ValueError, match=r"similar_text.*'item' indices from 0 to 8"):
        validate_graph(data)


def test_nothing_to_compare() -> None:
    data = irregular_graph(1)
    data['image'].x.zero_()
    data = SimilarItems(union=True)(data)
    assert data[similar('image')].edge_index.size() == (2, 0)
    with pytest.raises(ValueError, match="'weight' needs to be one of"):
        SimilarItems(weight='mean')
    assert repr(SimilarItems(5)) == "SimilarItems(k=5, weight='cosine', union=False)"


def test_similarities_are_replaced_in_any_layout() -> None:
    data = ToAdjacency('csr')(SimilarItems(2, union=True)(irregular_graph()))
    _, graph = model_inputs(SimilarItems(3, union=True)(data))
    dense = Dense(SimilarItems(3, union=True)(irregular_graph()))
    for name, adj in graph.similar.items():
        out = torch.sparse_csr_tensor(*adj.csr[:3], adj.size).to_dense()
        assert torch.allclose(out, dense.s[name])


def test_few_items_have_weights_of_at_most_one() -> None:
    data = irregular_graph()
    data['text'].x -= data['text'].x.mean(dim=0)  # Sums of all cosines would be zero.
    out = SimilarItems(50)(data)
    for name in ('image', 'text'):
        weight = out[similar(name)].edge_weight
        assert 0 <= float(weight.min()) <= float(weight.max()) <= 1 + 1e-9


def test_a_union_does_not_outlive_its_similarities() -> None:
    data = SimilarItems(3, union=True)(irregular_graph())
    out = SimilarItems(2)(data)
    assert similar('item') in data.edge_types
    assert similarities(out) == [similar('image'), similar('text')]
