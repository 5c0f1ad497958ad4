import pytest
import torch

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn import LocalPropagation

# One user, two items: every edge weighs 1 / sqrt(2).
INDEX = torch.tensor([[0, 0], [0, 1]])
GRAPH = BipartiteGraph.from_adj(INDEX, num_users=1, num_items=2)
USER, ITEM = torch.tensor([[2.0]]), torch.tensor([[4.0], [6.0]])


def test_last_layer() -> None:
    user, item = LocalPropagation(2, 'last')(USER, ITEM, GRAPH)
    # Layer 1: user 10 / sqrt(2), items 2 / sqrt(2). Layer 2: user 2, items 5.
    assert torch.allclose(user, torch.tensor([[2.0]]))
    assert torch.allclose(item, torch.tensor([[5.0], [5.0]]))


def test_mean_of_layers() -> None:
    user, item = LocalPropagation(1, 'mean')(USER, ITEM, GRAPH)
    assert torch.allclose(user, torch.tensor([[(2 + 10 / 2**0.5) / 2]]))
    assert torch.allclose(item, (ITEM + 2 / 2**0.5) / 2)


@pytest.mark.parametrize('readout', ['mean', 'last'])
def test_no_layers(readout: str) -> None:
    user, item = LocalPropagation(0, readout)(USER, ITEM, GRAPH)
    assert torch.equal(user, USER)
    assert torch.equal(item, ITEM)


def test_errors_and_repr() -> None:
    assert repr(LocalPropagation(3, 'last')) == "LocalPropagation(3, readout='last')"
    with pytest.raises(ValueError, match=r"'readout' needs to be .* \(got 'sum'\)"):
        LocalPropagation(2, 'sum')


def random_graph() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    dense = (torch.rand(7, 5) < 0.5).double()
    dense[0] = 1
    return dense, torch.randn(7, 2).double(), torch.randn(5, 2).double()


def test_directions_with_unlike_weights_have_right_gradients() -> None:
    dense, user, item = random_graph()
    to_item = (dense / dense.sum(0).clamp(min=1)).t().to_sparse_csr()
    to_user = (dense / dense.sum(1, keepdim=True).clamp(min=1)).to_sparse_csr()
    graph = BipartiteGraph.from_adj(to_item, to_user)
    propagation = LocalPropagation(2)
    inputs = user.requires_grad_(), item.requires_grad_()
    assert torch.autograd.gradcheck(lambda u, i: propagation(u, i, graph), inputs)
