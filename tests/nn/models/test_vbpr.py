import pytest
import torch
from graphs import irregular_graph
from references.blocks import Dense, assert_equal_to_reference, norms, ranking

from lgmrec_pyg.nn import VBPR


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
def test_equal_to_dense_reference(num_modalities, temperature) -> None:
    data = irregular_graph(num_modalities)
    model = VBPR.from_data(
        data, embedding_dim=8, ranking_loss='softmax' if temperature else 'bpr'
    )

    def reference(model, dense: Dense) -> tuple:
        x = torch.cat(list(dense.x.values()), 1)
        w = torch.cat([model.projection[name].projection.weight for name in dense.x])
        item = torch.cat([model.item_embedding.weight, x @ w + model.bias], 1)
        user = model.user_embedding.weight
        rank, reg = ranking(user, item, temperature), norms(user, item)
        return user, item, rank + 1e-2 * reg, rank, reg

    assert_equal_to_reference(model.double(), data, reference)


def test_is_initialized_as_one_layer_of_all_features():
    model = VBPR(5, 4, {'image': 300, 'text': 100}, embedding_dim=64)
    expected = pytest.approx((2 / (300 + 100 + 64)) ** 0.5, rel=0.05)
    for module in model.projection.values():
        assert float(module.projection.weight.std()) == expected
