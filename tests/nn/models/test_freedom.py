import pytest
import torch
from references.blocks import (
    TRIPLETS,
    Dense,
    assert_equal_to_reference,
    bpr,
    graph_with_similar,
    ids,
    ranking,
)

from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import FREEDOM, PGL, LightGCN


@pytest.mark.parametrize('temperature', [None, 0.2])
@pytest.mark.parametrize('num_modalities', [1, 2, 3])
@pytest.mark.parametrize('layers', [(2, 1), (1, 2)])
def test_equal_to_dense_reference(layers, num_modalities, temperature) -> None:
    data = graph_with_similar(num_modalities, weight='uniform')
    model = FREEDOM.from_data(
        data,
        embedding_dim=8,
        num_layers=layers[0],
        num_similar_layers=layers[1],
        modality_weight=0.3,
        ranking_loss='softmax' if temperature else 'bpr',
    )

    def reference(model, dense: Dense) -> tuple:
        share = (
            [1.0]
            if num_modalities == 1
            else [0.1, 0.9]
            if num_modalities == 2
            else [0.1, 0.45, 0.45]
        )
        s = sum(w * x for w, x in zip(share, dense.s.values(), strict=True))
        user, item = dense.split(dense.light_gcn(ids(model), layers[0]))
        h = model.item_embedding.weight
        for _ in range(layers[1]):
            h = s @ h
        item = item + h
        rank = ranking(user, item, temperature)
        u, p, n = TRIPLETS
        content = [dense.project(model, name) for name in dense.x]
        modality = sum(bpr(user[u], f[p], f[n]) for f in content)
        return user, item, rank + 0.3 * modality, rank, modality

    assert_equal_to_reference(model.double().eval(), data, reference)


def test_without_its_parts_it_is_lightgcn() -> None:
    data = graph_with_similar(weight='uniform')
    for edge_type in data.edge_types:
        if edge_type[1].startswith('similar'):
            data[edge_type].edge_weight.zero_()
    model = FREEDOM.from_data(
        data, embedding_dim=8, drop_edge=0.0, modality_weight=0.0
    ).double()
    other = LightGCN.from_data(data, embedding_dim=8).double()
    other.load_state_dict(model.state_dict(), strict=False)
    inputs = model_inputs(data)
    for x, y in zip(model.embed(*inputs), other.embed(*inputs), strict=True):
        assert torch.allclose(x, y)
    losses = model.loss(model(*inputs), *TRIPLETS)
    assert torch.equal(losses.total, losses.ranking)


def test_trains_on_a_part_of_the_interactions() -> None:
    data = graph_with_similar(weight='uniform')
    model = FREEDOM.from_data(data, embedding_dim=8).double()
    inputs = model_inputs(data)
    expected = model.eval().embed(*inputs)
    trained = [model.train().embed(*inputs) for _ in range(2)]
    assert not torch.equal(trained[0][0], trained[1][0])
    assert torch.equal(model.embed(*inputs)[0], trained[1][0])  # Until the next epoch.
    assert torch.equal(model.eval().embed(*inputs)[0], expected[0])


def test_similarities_are_needed() -> None:
    data = graph_with_similar(1)
    model = FREEDOM.from_data(data).double()
    model.feature_dims['text'] = 3
    x_dict, graph = model_inputs(data)
    with pytest.raises(ValueError, match=r"missing: \['text'\]"):
        model(x_dict, graph)
    del model.feature_dims['text']
    with pytest.raises(
        ValueError, match=r'similar_image.* transform .* SimilarItems\('
    ):
        model(x_dict, graph._replace(similar={}))
    with pytest.raises(ValueError, match="'feature_dims' needs to hold a modality"):
        FREEDOM(3, 2, {})
    with pytest.raises(ValueError, match="'ranking_loss' needs to be one of"):
        FREEDOM(3, 2, {'image': 4}, ranking_loss='hinge')
    with pytest.raises(
        ValueError, match=r"'embedding_dim' needs to be a positive integer \(got 0"
    ):
        FREEDOM(3, 2, {'image': 4}, embedding_dim=0)
    model.num_items = 5
    with pytest.raises(ValueError, match=r'11 users and 5 items of the model'):
        model(x_dict, graph)


@pytest.mark.parametrize('model', [FREEDOM, PGL])
def test_first_weight_is_of_images(model) -> None:
    image_last = model(5, 4, {'text': 3, 'audio': 2, 'image': 6}, first_weight=0.2)
    assert image_last.similar.weight == {'text': 0.4, 'audio': 0.4, 'image': 0.2}
    no_image = model(5, 4, {'text': 3, 'audio': 2}, first_weight=0.25)
    assert no_image.similar.weight == {'text': 0.25, 'audio': 0.75}
