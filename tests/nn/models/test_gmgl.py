import pytest
import torch
from graphs import irregular_graph
from references.blocks import (
    Dense,
    assert_equal_to_reference,
    half_squares,
    linear,
    ranking,
)

from lgmrec_pyg.nn import GMGL


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('item_ids', [False, True])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
def test_equal_to_dense_reference(num_modalities, item_ids, temperature) -> None:
    data = irregular_graph(num_modalities)
    model = GMGL.from_data(
        data,
        embedding_dim=8,
        item_ids=item_ids,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        f = [dense.project(model, name) for name in dense.x]
        item = f[0]
        if num_modalities == 2:
            gate = linear(model.gate, torch.cat(f, 1)).sigmoid()
            item = gate * f[0] + (1 - gate) * f[1]
        elif num_modalities == 3:
            one, two = linear(model.gate, torch.cat(f, 1)).exp().chunk(2, 1)
            item = (one * f[0] + two * f[1] + f[2]) / (one + two + 1)
        if item_ids:
            item = item + model.item_embedding.weight
        e = dense.light_gcn(torch.cat([model.user_embedding.weight, item]), 2)
        user, item = dense.split(e)
        rank, reg = ranking(user, item, temperature), half_squares(user, item)
        return user, item, rank + 1e-4 * reg, rank, reg

    assert_equal_to_reference(model.double(), data, reference)
