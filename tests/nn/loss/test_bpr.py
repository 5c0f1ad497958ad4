import torch
from torch_geometric.nn.models.lightgcn import BPRLoss as PyGBPRLoss

from lgmrec_pyg.nn import BPRLoss


def test_equal_to_pyg() -> None:
    user, pos, neg = torch.randn(3, 8, 4)
    expected = PyGBPRLoss()((user * pos).sum(1), (user * neg).sum(1))
    assert torch.allclose(BPRLoss()(user, pos, neg), expected)


def test_large_margins_are_finite() -> None:
    user = torch.tensor([[1000.0]])
    assert BPRLoss()(user, user, -user) == 0
    assert BPRLoss()(user, -user, user) == 2e6


def test_repr() -> None:
    assert repr(BPRLoss()) == 'BPRLoss()'
