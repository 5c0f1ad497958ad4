import pytest
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes, set_ids
from lgmrec_pyg.recommend import Recommender, embed_new_items, embed_new_users
from lgmrec_pyg.recommend.item_regression import ItemRegression, Ridge
from lgmrec_pyg.transforms import StandardizeFeatures

NUM_ITEMS, NUM_NEW, NUM_TRAINED = 240, 60, 220


def planted_graph(seed=0):
    r"""Embeddings are linear in the latents that features show, each modality
    another part, on scales far apart. The last items are not trained.
    """
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(NUM_ITEMS + NUM_NEW, 6, generator=generator)
    latent = torch.nn.functional.normalize(latent, dim=1)
    emb = latent @ torch.randn(6, 8, generator=generator)
    data, new = HeteroData(), {}
    data['user'].num_nodes, data['item'].num_nodes = 30, NUM_ITEMS
    item = torch.arange(NUM_TRAINED).repeat(2)
    data[INTERACTS].edge_index = torch.stack([torch.arange(item.numel()) % 30, item])
    for name, part, scale in [('image', slice(0, 3), 1e-3), ('text', slice(3, 6), 1e3)]:
        x = (
            latent[:, part] @ torch.randn(3, 12, generator=generator) * scale
            + 5 * scale
        )
        data[name].x, new[name] = x[:NUM_ITEMS], x[NUM_ITEMS:]
        data[describes(name)].edge_index = torch.arange(NUM_ITEMS).repeat(2, 1)
    return data, emb[:NUM_ITEMS], new, emb[NUM_ITEMS:]


def error_of(out, expected):
    r"""The share of the variance that is not explained."""
    return float((out - expected).square().sum() / expected.square().sum())


def test_recovers_linear_embeddings():
    data, item_emb, new, expected = planted_graph()
    assert error_of(embed_new_items(data, item_emb, new), expected) < 0.15


def test_items_that_lack_a_modality_are_embedded_by_the_others():
    data, item_emb, new, expected = planted_graph()
    complete = embed_new_items(data, item_emb, new)
    new['text'] = new['text'].clone()
    new['text'][:20] = 0
    out = embed_new_items(data, item_emb, new)
    assert torch.allclose(out[20:], complete[20:], atol=1e-5)
    alone = embed_new_items(data, item_emb, {'image': new['image'][:20]})
    assert torch.allclose(out[:20], alone, atol=1e-5)
    assert error_of(complete[:20], expected[:20]) < error_of(alone, expected[:20]) < 0.8


def test_untrained_items_and_nodes_without_items_do_not_matter():
    data, item_emb, new, _ = planted_graph()
    expected = embed_new_items(data, item_emb, new)
    item_emb[NUM_TRAINED:] = 1e3
    assert torch.equal(embed_new_items(data, item_emb, new), expected)
    data['text'].x = torch.cat([data['text'].x, torch.full((1, 12), 1e6)])
    assert torch.equal(embed_new_items(data, item_emb, new), expected)


def test_several_nodes_of_an_item_are_averaged():
    data, item_emb, new, _ = planted_graph()
    expected = embed_new_items(data, item_emb, new)
    x, offset = data['image'].x, torch.randn(NUM_ITEMS, 12) * 1e-3
    data['image'].x = torch.cat([x + offset, x - offset])
    edge_index = torch.stack(
        [torch.arange(2 * NUM_ITEMS), torch.arange(NUM_ITEMS).repeat(2)]
    )
    data[describes('image')].edge_index = edge_index
    assert torch.allclose(embed_new_items(data, item_emb, new), expected, atol=1e-4)


def test_scale_does_not_matter_and_the_graph_is_left_alone():
    data, item_emb, new, _ = planted_graph()
    before = data['text'].x.clone()
    expected = embed_new_items(data, item_emb, new)
    assert torch.equal(data['text'].x, before)
    data['text'].x, new['text'] = data['text'].x / 512, new['text'] / 512
    assert torch.allclose(embed_new_items(data, item_emb, new), expected, atol=1e-4)


def test_regression_and_neighbors_by_hand():
    source = torch.tensor([[1.0], [-1.0]])
    emb, weight = torch.tensor([[4.0, 1.0], [0.0, 1.0]]), torch.ones(2, 1)
    # The mean is (2, 1), and the slope (1 * 2 + -1 * -2) / (2 + 1) = 4 / 3; the
    # residuals of the two, which are all the neighbors there are, cancel out.
    out = Ridge.of(source, emb, weight)(torch.tensor([[0.5]]))
    assert torch.allclose(out, torch.tensor([[2 + 2 / 3, 1.0]]))
    weight = torch.tensor([[1.5], [0.5]])
    # Mean 3; slope (1.5 * 1 + 0.5 * 3) / (2 + 1) = 1; residuals 0 and -2.
    out = Ridge.of(source, emb, weight)(torch.tensor([[0.5]]))
    assert torch.allclose(out, torch.tensor([[3 + 0.5 - 1.0, 1.0]]))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'sound': torch.ones(NUM_NEW, 3)}, r"the modalities \['image', 'text'\]"),
        ({'text': torch.ones(NUM_NEW, 3)}, r"'x_dict\['text'\]' .* \[60, 12\] \(got"),
        ({'text': torch.ones(5, 12)}, r'\[60, 12\] \(got \[5, 12\]\)'),
        ({'text': torch.full((NUM_NEW, 12), float('inf'))}, 'needs to be finite'),
    ],
)
def test_features_need_to_match(kwargs, message):
    data, item_emb, new, _ = planted_graph()
    with pytest.raises(ValueError, match=message):
        embed_new_items(data, item_emb, {**new, **kwargs})


def test_an_item_without_features_is_named():
    data, item_emb, new, _ = planted_graph()
    for x in new.values():
        x[7] = 0
    with pytest.raises(
        ValueError, match=r'features of every item .* \(got \[\] of item 7'
    ):
        embed_new_items(data, item_emb, new)


def test_needs_trained_items_with_features():
    data, item_emb, new, _ = planted_graph()
    data['text'].x = torch.zeros_like(data['text'].x)
    with pytest.raises(ValueError, match=r"trained items have \(got \['text'\]"):
        embed_new_items(data, item_emb, {'text': new['text']})
    data[INTERACTS].edge_index = torch.empty(2, 0, dtype=torch.long)
    with pytest.raises(ValueError, match=r'that trained items have'):
        embed_new_items(data, item_emb, new)


def test_with_new_items_by_their_ids():
    data, item_emb, new, _ = planted_graph()
    recommender = Recommender(torch.randn(30, 8), item_emb)
    ids = list(range(1000, 1000 + NUM_NEW))
    backwards = {'image': (ids[::-1], new['image'].flip(0)), 'text': (ids, new['text'])}
    out = recommender.with_new_items(data, backwards)
    expected = embed_new_items(data, item_emb, new)
    index = out.items.encode(ids)
    assert torch.allclose(out.item_emb[index], expected, atol=1e-5)
    assert torch.equal(out.item_emb[:NUM_ITEMS], item_emb)
    less = recommender.with_new_items(data, backwards, weight=0.5)
    assert torch.allclose(less.item_emb[index], 0.5 * expected, atol=1e-5)
    assert torch.equal(less.item_emb[:NUM_ITEMS], item_emb)


def test_new_items_need_the_graph_of_training():
    data, item_emb, new, _ = planted_graph()
    ids = [f'sku-{i}' for i in range(NUM_ITEMS)]
    set_ids(data, 'item', ids)
    recommender = Recommender(torch.randn(30, 8), item_emb, item_ids=ids)
    features = {'text': ([f'new-{i}' for i in range(NUM_NEW)], new['text'])}
    more = recommender.with_new_items(data, features)
    features = {'text': (['newer'], new['text'][:1])}
    assert 'newer' in more.with_new_items(data, features).items

    other = data.clone()
    set_ids(other, 'item', ids[::-1])
    message = "'data' needs to hold the items of the recommender"
    with pytest.raises(ValueError, match=message):
        recommender.with_new_items(other, features)


def test_new_items_that_lack_a_modality_have_no_row():
    data, item_emb, new, _ = planted_graph()
    ids = list(range(1000, 1000 + NUM_NEW))
    features = {'image': (ids, new['image']), 'text': (ids[20:], new['text'][20:])}
    out = Recommender(torch.randn(30, 8), item_emb).with_new_items(data, features)
    new['text'] = torch.cat([torch.zeros(20, 12), new['text'][20:]])
    expected = embed_new_items(data, item_emb, new)
    assert torch.allclose(out.item_emb[NUM_ITEMS:], expected, atol=1e-5)


def test_raw_features_of_a_standardized_graph_are_refused():
    data, item_emb, new, _ = planted_graph()
    data = StandardizeFeatures()(data)
    with pytest.raises(ValueError, match="the graph before 'Standardize"):
        embed_new_items(data, item_emb, new)


def test_new_items_of_a_model_that_ranks_by_cosines_are_of_unit_length():
    data, item_emb, new, _ = planted_graph()
    unit = torch.nn.functional.normalize(item_emb)
    out = embed_new_items(data, unit, new)
    assert torch.allclose(out.norm(dim=1), torch.ones(NUM_NEW))
    assert not torch.allclose(
        embed_new_items(data, item_emb, new).norm(dim=1), torch.ones(NUM_NEW), atol=0.1
    )


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_new_items_in_other_precisions(dtype):
    data, item_emb, new, _ = planted_graph()
    out = embed_new_items(data, item_emb.to(dtype), new)
    assert out.dtype == dtype
    expected = embed_new_items(data, item_emb, new)
    assert error_of(out.float(), expected) < 1e-2


def test_items_without_a_modality_fit_any_scale():
    data, item_emb, new, _ = planted_graph()
    data['text'].x = torch.nn.functional.normalize(data['text'].x)
    new['text'] = torch.zeros_like(new['text'])
    expected = embed_new_items(data, item_emb, {'image': new['image']})
    assert torch.allclose(embed_new_items(data, item_emb, new), expected, atol=1e-5)


@pytest.mark.parametrize('image_ids', [str, int])
@pytest.mark.parametrize('text_ids', [str, int])
def test_integer_ids_become_strings_where_those_are(image_ids, text_ids):
    data, item_emb, new, _ = planted_graph()
    ids = [str(i) for i in range(NUM_ITEMS)]  # As from a CSV file.
    set_ids(data, 'item', ids)
    recommender = Recommender(torch.randn(30, 8), item_emb, item_ids=ids)
    ids = range(1000, 1000 + NUM_NEW)
    features = {
        'image': ([image_ids(i) for i in ids], new['image']),
        'text': ([text_ids(i) for i in ids], new['text']),
    }
    out = recommender.with_new_items(data, features)
    assert out.items.ids[NUM_ITEMS:] == [str(i) for i in ids]
    assert torch.equal(out.item_emb[NUM_ITEMS:], embed_new_items(data, item_emb, new))
    known = {'text': ([7], new['text'][:1])}
    with pytest.raises(ValueError, match=r"'item_ids' .* once \(got '7'"):
        recommender.with_new_items(data, known)


def test_strings_do_not_become_integers():
    data, item_emb, new, _ = planted_graph()
    recommender = Recommender(torch.randn(30, 8), item_emb)
    features = {'text': ([str(i) for i in range(1000, 1000 + NUM_NEW)], new['text'])}
    message = r"'item_ids' needs .* strings or integers, not both .* '1000' in"
    with pytest.raises(ValueError, match=message):
        recommender.with_new_items(data, features)


def test_mean_of_the_items_by_hand():
    item_emb = torch.tensor([[1.0, 2.0], [3.0, 0.0], [-1.0, 4.0]])
    histories = [torch.tensor([0, 1]), torch.tensor([2]), torch.tensor([2, 0, 1])]
    expected = [[2.0, 1.0], [-1.0, 4.0], [1.0, 2.0]]
    assert embed_new_users(item_emb, histories).tolist() == expected


def test_no_users():
    assert embed_new_users(torch.ones(3, 2), []).size() == (0, 2)


def test_empty_history_is_named():
    histories = [torch.tensor([0]), torch.tensor([], dtype=torch.long)]
    with pytest.raises(ValueError, match=r"'histories' needs .* \(got none for user 1"):
        embed_new_users(torch.ones(3, 2), histories)


def test_new_items_without_content_are_left_out():
    data, emb, new, _ = planted_graph()
    recommender = Recommender(torch.randn(30, 8), emb)
    x = new['image'].clone()
    x[1] = 0
    ids = range(1000, 1000 + NUM_NEW)
    with pytest.warns(UserWarning, match=r'1 of 60 items, .* \[1001\]'):
        out = recommender.with_new_items(data, {'image': (ids, x)})
    assert len(out.items) == NUM_ITEMS + NUM_NEW - 1
    assert 1001 not in out.items
    rest = [id_ for id_ in ids if id_ != 1001]
    expected = recommender.with_new_items(data, {'image': (rest, x[x[:, 0] != 0])})
    torch.testing.assert_close(out.item_emb, expected.item_emb)
    with pytest.raises(ValueError, match='zero for 60 of 60 items'):
        recommender.with_new_items(data, {'image': (ids, 0 * x)})


def test_regression_by_hand_with_sources_of_other_lengths():
    source, emb = torch.tensor([[2.0], [-1.0]]), torch.tensor([[4.0, 1.0], [0.0, 1.0]])
    # Mean 3; slope (1.5 * 2 * 1 + 0.5 * 3) / (1.5 * 4 + 0.5 + 1) = 0.6; residuals
    # -0.2 and -2.4.
    out = Ridge.of(source, emb, torch.tensor([[1.5], [0.5]]))(torch.tensor([[1.0]]))
    assert torch.allclose(out, torch.tensor([[3 + 0.6 - 1.3, 1.0]]))


def test_items_count_by_the_logarithm_of_their_pairs():
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = 7, 4
    user = torch.cat([torch.arange(number) for number in (1, 3, 7)])
    item = torch.tensor([0] + [1] * 3 + [2] * 7)
    data[INTERACTS].edge_index = torch.stack([user, item])
    data['text'].x = torch.randn(4, 2)
    data[describes('text')].edge_index = torch.arange(4).repeat(2, 1)
    weight = ItemRegression(data, torch.randn(4, 3))._weight
    assert torch.allclose(weight.flatten(), torch.tensor([0.5, 1.0, 1.5]))


def test_units_of_features_do_not_matter_to_new_items():
    kwargs = {'num_users': 60, 'num_items': 40, 'num_interactions': 600}
    data = SyntheticMultimodal(**kwargs)[0]
    emb = torch.randn(40, 8)
    x_dict = {x: torch.randn(5, data[x].num_features) for x in ('image', 'text')}
    expected = embed_new_items(data, emb, x_dict)
    for name, x in x_dict.items():
        unit = torch.logspace(-2, 2, x.size(1))
        data[name].x, x_dict[name] = data[name].x * unit, x * unit
    out = embed_new_items(data, emb, x_dict)
    assert torch.allclose(out, expected, rtol=1e-3, atol=1e-4)
