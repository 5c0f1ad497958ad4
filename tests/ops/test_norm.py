import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor

from lgmrec_pyg.ops import has_weight, normalize_adj

# Users 0, 1, 2 and items 0, 1, 2: user 2 and item 2 are isolated.
INDEX = torch.tensor([[0, 0, 1], [0, 1, 1]])
SYM = torch.tensor([(2 * 1) ** -0.5, (2 * 2) ** -0.5, (1 * 2) ** -0.5])
MEAN = torch.tensor([1.0, 0.5, 0.5])


@pytest.mark.parametrize(('norm', 'expected'), [('sym', SYM), ('mean', MEAN)])
def test_hand_computed(norm: str, expected: torch.Tensor) -> None:
    adj, weight = normalize_adj(INDEX, None, norm, size=(3, 3))
    assert adj is INDEX
    assert torch.allclose(weight, expected)
    edge_index = EdgeIndex(INDEX, sparse_size=(3, 3), sort_order='row')
    assert torch.allclose(normalize_adj(edge_index, None, norm)[1], expected)
    if WITH_TORCH_SPARSE:
        adj_t = SparseTensor(row=INDEX[1], col=INDEX[0], sparse_sizes=(3, 3))
        adj_t, weight = normalize_adj(adj_t, None, norm)
        assert weight is None
        out = torch.zeros(3, 3)
        out[INDEX[1], INDEX[0]] = expected
        assert torch.allclose(adj_t.to_dense(), out)


def test_given_weights_stay() -> None:
    weight = torch.tensor([3.0, 4.0, 5.0])
    assert normalize_adj(INDEX, weight, 'sym', (3, 3))[1] is weight
    csr = torch.eye(3).to_sparse_csr()
    assert normalize_adj(csr)[0] is csr


def test_has_weight() -> None:
    assert not has_weight(INDEX)
    assert has_weight(INDEX, torch.ones(3))
    assert has_weight(torch.eye(3).to_sparse_csr())
    if WITH_TORCH_SPARSE:
        adj = SparseTensor.from_dense(torch.eye(3))
        assert has_weight(adj)
        assert not has_weight(adj.set_value(None))


def test_size_is_required() -> None:
    with pytest.raises(ValueError, match="'size' is required"):
        normalize_adj(INDEX)
