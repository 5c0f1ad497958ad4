import pytest
import torch
from graphs import irregular_graph
from references.blocks import (
    Dense,
    assert_equal_to_reference,
    half_squares,
    ids,
    ranking,
)
from torch_geometric.nn.models import LightGCN as PyGLightGCN

from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import LightGCN


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_layers', [0, 3])
def test_equal_to_dense_reference(num_layers: int, temperature: float | None) -> None:
    data = irregular_graph()
    kwargs = {'ranking_loss': 'softmax' if temperature else 'bpr'}
    model = LightGCN.from_data(data, embedding_dim=8, num_layers=num_layers, **kwargs)

    def reference(model, dense: Dense) -> tuple:
        user, item = dense.split(dense.light_gcn(ids(model), num_layers))
        rank = ranking(user, item, temperature)
        reg = half_squares(*dense.split(ids(model)))
        return user, item, rank + 1e-4 * reg, rank, reg

    assert_equal_to_reference(model.double(), data, reference)


def test_equal_to_the_one_of_pyg() -> None:
    data = irregular_graph()
    model = LightGCN.from_data(data, embedding_dim=8, num_layers=2).double()
    other = PyGLightGCN(20, 8, num_layers=2).double()
    other.embedding.weight.data = ids(model).data
    user, item = data[INTERACTS].edge_index
    index = torch.stack([torch.cat([user, item + 11]), torch.cat([item + 11, user])])
    expected = other.get_embedding(index).split([11, 9])
    for x, y in zip(model.embed(*model_inputs(data)), expected, strict=True):
        assert torch.allclose(x, y)
