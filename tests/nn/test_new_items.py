import pytest
import torch
from graphs import irregular_graph

from lgmrec_pyg.graph import INTERACTS, ITEM, model_inputs
from lgmrec_pyg.nn import NewItems


def test_items_without_interactions_are_new() -> None:
    data = irregular_graph(num_users=40, num_items=3000)
    _, graph = model_inputs(data)
    item = data[INTERACTS].edge_index[1]
    expected = torch.bincount(item, minlength=data[ITEM].num_nodes) > 0
    assert 0 < int(expected.sum()) < 3000
    layer = NewItems(0.3)
    assert layer.eval()(graph).view(-1).equal(expected)
    torch.manual_seed(0)
    draws = torch.stack([layer.train()(graph).view(-1) for _ in range(200)])
    assert not draws[:, ~expected].any()
    rate = draws[:, expected].double().mean()
    error = (0.3 * 0.7 / draws[:, expected].numel()) ** 0.5
    assert float(rate) == pytest.approx(0.7, abs=4 * error)
    assert repr(layer) == 'NewItems(0.3)'
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match="'rate' needs to be in"):
            NewItems(rate)
