import copy

import pytest
import torch
import torch_geometric.transforms as T
import torch_geometric.typing
from graphs import irregular_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData
from torch_geometric.typing import SparseTensor

from lgmrec_pyg.graph import INTERACTS, REV_INTERACTS, describes, reverse
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

WITH_TORCH_SPARSE = torch_geometric.typing.WITH_TORCH_SPARSE
LAYOUTS = [
    pytest.param(
        'torch_sparse',
        marks=pytest.mark.skipif(not WITH_TORCH_SPARSE, reason='needs torch-sparse'),
    ),
    'csr',
    'edge_index',
]


def make_data() -> HeteroData:
    data = HeteroData()
    data['user'].num_nodes = 3
    data['item'].num_nodes = 4
    data['image'].x = torch.randn(2, 5)
    data[INTERACTS].edge_index = torch.tensor([[1, 0, 0], [2, 3, 0]])
    data[INTERACTS].val_edge_label_index = torch.tensor([[2, 1, 0], [3, 0, 1]])
    data[INTERACTS].test_edge_label_index = torch.tensor([[2, 0], [2, 2]])
    data[describes('image')].edge_index = torch.tensor([[0, 1], [3, 3]])
    return data


def to_dense(data: HeteroData, edge_type: tuple[str, str, str]) -> Tensor:
    r"""The matrix of shape [num_dst, num_src] that layers propagate over."""
    store = data[edge_type]
    if 'adj_t' in store:
        return store.adj_t.to_dense()
    size = (data[edge_type[2]].num_nodes, data[edge_type[0]].num_nodes)
    out = torch.zeros(size)
    src, dst = store.edge_index.as_tensor()
    out[dst, src] = store.edge_weight if 'edge_weight' in store else 1.0
    return out


@pytest.mark.parametrize('layout', LAYOUTS)
def test_to_adjacency(layout: str) -> None:
    data = make_data()
    out = ToAdjacency(layout)(DegreeNorm()(data))
    root = 0.5**0.5
    expected = torch.tensor([[root, 0, 0], [0, 0, 0], [0, 1, 0], [root, 0, 0]])
    assert torch.allclose(to_dense(out, INTERACTS), expected)
    assert torch.allclose(to_dense(out, REV_INTERACTS), expected.t())
    edge_type = describes('image')
    expected = torch.tensor([[0, 0], [0, 0], [0, 0], [0.5, 0.5]])
    assert torch.equal(to_dense(out, edge_type), expected)
    assert torch.equal(to_dense(out, reverse(edge_type)), expected.t())
    assert len(out.edge_types) == 4
    assert data.edge_types == [INTERACTS, edge_type]
    assert data[INTERACTS].edge_index.tolist() == [[1, 0, 0], [2, 3, 0]]


@pytest.mark.skipif(not WITH_TORCH_SPARSE, reason='needs torch-sparse')
def test_to_adjacency_torch_sparse() -> None:
    out = ToAdjacency('torch_sparse')(make_data())
    adj_t = out[INTERACTS].adj_t
    assert isinstance(adj_t, SparseTensor)
    assert adj_t.sizes() == [4, 3]
    assert not adj_t.has_value()
    assert adj_t.storage.has_csr2csc()
    assert 'edge_index' not in out[INTERACTS]

    out = ToAdjacency('torch_sparse')(DegreeNorm()(make_data()))
    assert out[INTERACTS].adj_t.has_value()
    assert 'edge_weight' not in out[INTERACTS]


def test_to_adjacency_csr() -> None:
    out = ToAdjacency('csr')(make_data())
    adj_t = out[INTERACTS].adj_t
    assert adj_t.layout == torch.sparse_csr
    assert adj_t.size() == (4, 3)
    # A CSR tensor always has values, which count as weights:
    expected = ToAdjacency('csr')(DegreeNorm()(make_data()))
    for edge_type in out.edge_types:
        assert torch.equal(to_dense(out, edge_type), to_dense(expected, edge_type))


def test_to_adjacency_edge_index() -> None:
    data = irregular_graph()
    data[INTERACTS].edge_weight = torch.rand(data[INTERACTS].num_edges)
    data[INTERACTS].rating = torch.arange(data[INTERACTS].num_edges)
    out = ToAdjacency('edge_index')(data)
    store = out[INTERACTS]
    assert isinstance(store.edge_index, EdgeIndex)
    store.edge_index.validate()
    assert store.edge_index.is_contiguous()
    assert store.edge_index.is_sorted_by_col
    assert store.edge_index.sparse_size() == (11, 9)
    assert store.edge_index._indptr is not None
    assert store.edge_index._T_perm is not None
    weight = dict(
        zip(
            map(tuple, data[INTERACTS].edge_index.t().tolist()),
            data[INTERACTS].edge_weight.tolist(),
            strict=True,
        )
    )
    edges = map(tuple, store.edge_index.as_tensor().t().tolist())
    assert [weight[edge] for edge in edges] == store.edge_weight.tolist()
    edge_index = data[INTERACTS].edge_index[:, store.rating]
    assert torch.equal(edge_index, store.edge_index.as_tensor())


def test_to_adjacency_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    out = ToAdjacency()(make_data())
    assert isinstance(out[INTERACTS].adj_t, SparseTensor) == WITH_TORCH_SPARSE
    monkeypatch.setattr(torch_geometric.typing, 'WITH_TORCH_SPARSE', False)
    out = ToAdjacency()(make_data())
    assert out[INTERACTS].adj_t.layout == torch.sparse_csr
    with pytest.raises(ImportError, match='pip install --no-build-isolation'):
        ToAdjacency('torch_sparse')


def test_to_adjacency_arguments() -> None:
    assert str(ToAdjacency()) == "ToAdjacency(layout='auto')"
    with pytest.raises(
        ValueError, match=r"'layout' needs to be one of .* \(got 'coo'\)"
    ):
        ToAdjacency('coo')


@pytest.mark.parametrize('layout', LAYOUTS)
def test_to_adjacency_is_idempotent(layout: str) -> None:
    once = ToAdjacency(layout)(DegreeNorm()(make_data()))
    twice = ToAdjacency(layout)(once)
    assert twice.edge_types == once.edge_types
    for edge_type in once.edge_types:
        assert torch.equal(to_dense(once, edge_type), to_dense(twice, edge_type))


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('before', LAYOUTS)
def test_to_adjacency_of_another_layout(before: str, layout: str) -> None:
    data = DegreeNorm()(make_data())
    expected = ToAdjacency(layout)(data)
    out = ToAdjacency(layout)(ToAdjacency(before)(data))
    assert out.edge_types == expected.edge_types
    for edge_type in out.edge_types:
        for name in ('edge_index', 'adj_t'):
            kinds = [type(x[edge_type].get(name)) for x in (out, expected)]
            assert kinds[0] is kinds[1]
        assert torch.equal(to_dense(out, edge_type), to_dense(expected, edge_type))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_to_adjacency_adds_missing_reverses_only(layout: str) -> None:
    data = make_data()
    full = ToAdjacency(layout)(DegreeNorm()(T.ToUndirected()(data)))
    data[REV_INTERACTS].edge_index = data[INTERACTS].edge_index.flip(0)
    part = ToAdjacency(layout)(DegreeNorm()(data))
    assert set(part.edge_types) == set(full.edge_types)
    for edge_type in full.edge_types:
        assert torch.equal(to_dense(part, edge_type), to_dense(full, edge_type))


def test_to_sparse_tensor_takes_labels_for_edge_attributes() -> None:
    # Why labels are set aside: PyG indexes the rows of label pairs with a
    # permutation of the edges as soon as there are equally many.
    with pytest.raises(IndexError):
        T.ToSparseTensor(layout=torch.sparse_csr)(make_data())


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('num_labels', range(1, 6))
@pytest.mark.parametrize('num_edges', [1, 2, 3, 5])
def test_to_adjacency_keeps_labels(
    layout: str, num_labels: int, num_edges: int
) -> None:
    data = make_data()
    edges = torch.tensor([[2, 1, 0, 0, 2], [3, 2, 3, 0, 0]])
    labels = torch.tensor([[2, 1, 0, 1, 0], [2, 3, 1, 0, 2]])
    data[INTERACTS].edge_index = edges[:, :num_edges]
    data[INTERACTS].val_edge_label_index = labels[:, :num_labels]
    data[INTERACTS].test_edge_label_index = labels[:, num_labels:]
    expected = copy.copy(data)

    out = ToAdjacency(layout)(DegreeNorm()(data))
    for name in ['val_edge_label_index', 'test_edge_label_index']:
        assert torch.equal(out[INTERACTS][name], expected[INTERACTS][name])
        assert torch.equal(data[INTERACTS][name], expected[INTERACTS][name])
        assert name not in out[REV_INTERACTS]


@pytest.mark.parametrize('layout', LAYOUTS)
@given(seed=st.integers(0, 2**16), num_modalities=st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_to_adjacency_is_equal_for_all_layouts(
    layout: str, seed: int, num_modalities: int
) -> None:
    data = irregular_graph(num_modalities, seed=seed)
    data = DegreeNorm()(T.ToUndirected()(data))
    out = ToAdjacency(layout)(data)
    assert len(out.edge_types) == 2 * (1 + num_modalities)
    for edge_type in out.edge_types:
        store = data[edge_type]
        size = (data[edge_type[0]].num_nodes, data[edge_type[2]].num_nodes)
        dense = torch.sparse_coo_tensor(store.edge_index, store.edge_weight, size)
        assert torch.equal(to_dense(out, edge_type), dense.to_dense().t())
