import pytest
import torch
from torch_geometric.nn import HypergraphConv

from lgmrec_pyg.nn import SoftHypergraphConv, SparseMembership

X = torch.tensor([[1.0], [2.0], [4.0]])
H = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]])


def test_hand_computed() -> None:
    conv = SoftHypergraphConv()
    assert conv.pool(X, H).tolist() == [[2.0], [1.0]]
    assert conv(X, H).tolist() == [[2.0], [1.5], [0.0]]
    assert conv(X, H, torch.tensor([[1.0, 3.0]])).tolist() == [[5.0]]
    conv = SoftHypergraphConv(normalize=True)
    assert torch.allclose(conv.pool(X, H), torch.tensor([[2 / 1.5], [2.0]]))
    assert torch.allclose(conv(X, H), torch.tensor([[4 / 3], [5 / 3], [0.0]]))


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('sparsity', [0.0, 0.5, 1.0])
def test_dense_and_sparse_forms_are_equal(normalize: bool, sparsity: float) -> None:
    conv = SoftHypergraphConv(normalize)
    x = torch.randn(12, 5, dtype=torch.float64, requires_grad=True)
    keep = [(torch.rand(n, 7) >= sparsity).double() for n in (12, 8)]
    dense = [
        (torch.rand(n, 7).double() * k) for n, k in zip((12, 8), keep, strict=True)
    ]
    dense = [h.requires_grad_() for h in dense]
    sparse = [SparseMembership.from_dense(h) for h in dense]
    for membership, target in (dense, sparse), (dense[:1] * 2, sparse[:1] * 2):
        out, expected = conv(x, *target), conv(x, *membership)
        assert torch.allclose(out, expected)
        grads = torch.autograd.grad(
            out.square().sum(), [x, dense[0]], retain_graph=True
        )
        expected_grads = torch.autograd.grad(
            expected.square().sum(), [x, dense[0]], retain_graph=True
        )
        assert torch.allclose(grads[0], expected_grads[0])
        # The sparse form has no gradient where there is no membership.
        assert torch.allclose(grads[1], expected_grads[1] * keep[0])


def test_top_memberships() -> None:
    sparse = SparseMembership.from_dense(
        torch.tensor([[0.1, 0.6, 0.3], [0.7, 0.2, 0.1]]), 2
    )
    assert sparse.hyperedge_index.tolist() == [[0, 0, 1, 1], [1, 2, 0, 1]]
    assert torch.equal(sparse.weight, torch.tensor([0.6, 0.3, 0.7, 0.2]))
    assert sparse.size == (2, 3)


def test_binary_memberships_are_the_hypergraph_conv_of_pyg() -> None:
    index = torch.tensor([[0, 1, 2, 1, 2, 3], [0, 0, 0, 1, 1, 1]])
    other = HypergraphConv(3, 3, bias=False)
    x = torch.randn(4, 3)
    expected = other(x, index)
    membership = SparseMembership(index, torch.ones(6), (4, 2))
    conv = SoftHypergraphConv(normalize=True)
    # PyG divides by the degrees of nodes, as we do by sums of memberships.
    out = conv(x @ other.lin.weight.t(), membership)
    assert torch.allclose(out, expected, atol=1e-6)


def test_repr() -> None:
    assert repr(SoftHypergraphConv()) == 'SoftHypergraphConv(normalize=False)'


@pytest.mark.parametrize('scale', [1e-43, 1e-20, 1.0])
def test_normalized_rows_of_vanishing_memberships_have_gradients(scale):
    # Of a softmax over logits far apart, whose large entry was dropped.
    membership = (torch.tensor([[0.0, 2.0, 1.0]]) * scale).requires_grad_()
    conv = SoftHypergraphConv(normalize=True)
    out = conv.rows(membership)
    (grad,) = torch.autograd.grad(out[0, 1], membership)
    assert out.isfinite().all()
    assert grad.isfinite().all()
    if scale == 1.0:
        assert torch.allclose(out, torch.tensor([[0.0, 2 / 3, 1 / 3]]))
        assert torch.allclose(grad, torch.tensor([[-2 / 9, 1 / 9, -2 / 9]]))
