import pytest
import torch
from references.blocks import (
    TRIPLETS,
    Dense,
    assert_equal_to_reference,
    graph_with_similar,
    info_nce,
    ranking,
    unit,
)

from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import PGL


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
def test_equal_to_dense_reference(num_modalities, temperature) -> None:
    data = graph_with_similar(num_modalities, weight='uniform')
    model = PGL.from_data(
        data,
        embedding_dim=8,
        contrast_weight=0.3,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        share = {1: [1.0], 2: [0.1, 0.9], 3: [0.1, 0.45, 0.45]}[num_modalities]
        s = sum(w * x for w, x in zip(share, dense.s.values(), strict=True))
        f = torch.cat([unit(dense.project(model, name)) for name in dense.x], 1)
        e = dense.light_gcn(torch.cat([model.user_embedding.weight, f]), 2)
        user, item = dense.split(e)
        item = item + s @ f
        u, p, _ = TRIPLETS
        rank = ranking(user, item, temperature)
        contrast = info_nce(user[u], user[u], 0.2) + info_nce(item[p], item[p], 0.2)
        return user, item, rank + 0.3 * contrast / 2, rank, contrast / 2

    assert_equal_to_reference(model.double().eval(), data, reference)


def test_training_draws_a_subgraph_and_two_dropouts() -> None:
    data = graph_with_similar(weight='uniform')
    model = PGL.from_data(data, embedding_dim=8, contrast_weight=0.3).double()
    inputs = model_inputs(data)
    first, second = model.train()(*inputs), model.train()(*inputs)
    assert not torch.equal(first.user, second.user)
    losses = [model.loss(second, *TRIPLETS) for _ in range(2)]
    assert losses[0].contrast != losses[1].contrast
    assert losses[0].ranking == losses[1].ranking


def test_every_modality_of_users_starts_as_a_table_of_its_own() -> None:
    model = PGL(500, 10, {'image': 4, 'text': 3}, embedding_dim=8)
    bound = (6 / 508) ** 0.5  # Xavier uniform of a 500 x 8 matrix.
    assert bound * 0.99 < model.user_embedding.weight.abs().max() <= bound
