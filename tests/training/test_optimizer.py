import copy

import pytest
import torch
from torch import Tensor
from torch.nn import Embedding, Linear, Module
from torch.optim import Adam, SparseAdam

from lgmrec_pyg.training import RowAdam


class Bag(Module):
    r"""A table and a layer, of which the table takes sparse gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Embedding(50, 4, sparse=True)
        self.layer = Linear(4, 1)

    def forward(self, index: Tensor) -> Tensor:
        return self.layer(self.table(index)).square().sum()


def test_equal_to_the_two_optimizers_of_torch() -> None:
    torch.manual_seed(0)
    model = Bag()
    other = copy.deepcopy(model)
    optimizer = RowAdam(model.parameters(), lr=0.1, fused=True)
    sparse = SparseAdam(other.table.parameters(), lr=0.1)
    dense = Adam(other.layer.parameters(), lr=0.1)
    before = model.table.weight.detach().clone()
    for _ in range(10):
        index = torch.randint(25, (8,))  # With duplicates.
        for module, steps in ((model, [optimizer]), (other, [sparse, dense])):
            module.zero_grad()
            module(index).backward()
            for x in steps:
                x.step()
    for x, y in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(x, y, rtol=1e-4, atol=1e-6)
    changed = (model.table.weight != before).any(dim=1)
    assert changed[:25].any()
    assert not changed[25:].any()


@pytest.mark.parametrize('name', ['weight_decay', 'amsgrad', 'maximize'])
def test_what_rows_cannot_have_is_refused(name) -> None:
    model = Bag()
    optimizer = RowAdam(model.parameters(), **{name: 1})
    model(torch.tensor([1, 2])).backward()
    with pytest.raises(ValueError, match=rf"\['{name}'\] need dense gradients"):
        optimizer.step()


def test_its_state_can_be_restored() -> None:
    torch.manual_seed(0)
    model, index = Bag(), torch.tensor([1, 2, 2])
    optimizer = RowAdam(model.parameters(), lr=0.1)
    model(index).backward()
    optimizer.step()
    other = copy.deepcopy(model)
    restored = RowAdam(other.parameters(), lr=0.1)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for module, step in ((model, optimizer), (other, restored)):
        module.zero_grad()
        module(index).backward()
        step.step()
    for x, y in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(x, y)
    with pytest.raises(RuntimeError, match='sparse gradients'):
        Adam(model.parameters()).step()


def test_calls_its_closure():
    x = torch.nn.Parameter(torch.ones(2))

    def closure() -> Tensor:
        loss = x.square().sum()
        loss.backward()
        return loss

    assert RowAdam([x], lr=0.1).step(closure).item() == 2
    assert torch.allclose(x, torch.full((2,), 0.9))
