import pytest
import torch
import torch_geometric.transforms as T
from graphs import irregular_graph
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import INTERACTS, REV_INTERACTS, describes, reverse
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency


def make_data() -> HeteroData:
    # User 2 and item 2 are isolated; item 1 has two images, item 0 none.
    data = HeteroData()
    data['user'].num_nodes = 3
    data['item'].num_nodes = 3
    data['image'].x = torch.randn(3, 2)
    data[INTERACTS].edge_index = torch.tensor([[0, 0, 1], [0, 1, 1]])
    data[describes('image')].edge_index = torch.tensor([[0, 1, 2], [1, 2, 1]])
    return data


def test_degree_norm() -> None:
    assert str(DegreeNorm()) == 'DegreeNorm()'
    data = make_data()
    out = DegreeNorm()(data)
    weight = out[INTERACTS].edge_weight
    assert torch.allclose(weight, torch.tensor([0.5**0.5, 0.5, 0.5**0.5]))
    assert out[describes('image')].edge_weight.tolist() == [0.5, 1.0, 0.5]
    assert weight.dtype == torch.float32
    assert REV_INTERACTS not in out.edge_types
    assert 'edge_weight' not in data[INTERACTS]


def test_degree_norm_of_reverse() -> None:
    data = T.ToUndirected()(make_data())
    # A reverse need not hold its edges in the same order:
    data[REV_INTERACTS].edge_index = data[REV_INTERACTS].edge_index.flip(1)
    out = DegreeNorm()(data)
    weight = out[INTERACTS].edge_weight
    assert torch.equal(out[REV_INTERACTS].edge_weight, weight.flip(0))
    edge_type = describes('image')
    weight = out[edge_type].edge_weight
    assert torch.equal(out[reverse(edge_type)].edge_weight, weight)


def test_degree_norm_is_idempotent_and_replaces() -> None:
    data = make_data()
    data[INTERACTS].edge_weight = torch.full((3,), 7.0)
    once = DegreeNorm()(data)
    twice = DegreeNorm()(once)
    assert torch.equal(once[INTERACTS].edge_weight, twice[INTERACTS].edge_weight)
    assert once[INTERACTS].edge_weight.max() < 1.0


def test_degree_norm_propagates_like_the_dense_matrix() -> None:
    data = irregular_graph()
    out = DegreeNorm()(data)
    size = (data['user'].num_nodes, data['item'].num_nodes)
    dense = torch.zeros(size)
    dense[tuple(data[INTERACTS].edge_index)] = 1.0
    weight = dense / (dense.sum(1, keepdim=True) * dense.sum(0)).clamp(min=1).sqrt()
    adj = torch.sparse_coo_tensor(
        out[INTERACTS].edge_index, out[INTERACTS].edge_weight, size
    )
    assert (dense.sum(1) == 0).any()
    assert (dense.sum(0) == 0).any()
    assert adj.to_dense().isfinite().all()
    assert torch.allclose(adj.to_dense(), weight)
    for modality in ['image', 'text']:
        store = out[describes(modality)]
        total = torch.zeros(size[1]).index_add(
            0, store.edge_index[1], store.edge_weight
        )
        assert set(total.tolist()) == {0.0, 1.0}


def test_degree_norm_follows_default_dtype() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        out = DegreeNorm()(make_data())
    finally:
        torch.set_default_dtype(torch.float32)
    weight = out[INTERACTS].edge_weight
    assert weight.dtype == torch.float64
    assert weight[0].item() == pytest.approx(0.5**0.5, abs=1e-15)


def test_degree_norm_after_to_adjacency() -> None:
    with pytest.raises(ValueError, match="apply 'DegreeNorm' before the conversion"):
        DegreeNorm()(ToAdjacency('csr')(make_data()))
