import json

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes
from lgmrec_pyg.storage import fingerprint
from lgmrec_pyg.storage.matching import differences
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency

LAYOUTS = ['csr', 'edge_index', *['torch_sparse'] * WITH_TORCH_SPARSE]


@pytest.fixture(scope='module')
def graph():
    data = SyntheticMultimodal('tiny')[0]
    data['user'].ids = [f'u{i}' for i in range(100)]
    data['item'].ids = list(range(1000, 1080))
    return data


@pytest.fixture
def data(graph):
    return graph.clone()


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('norm', [True, False])
def test_the_layout_does_not_matter(data, layout, norm):
    expected = fingerprint(data)
    transforms = [T.ToUndirected(), *[DegreeNorm()] * norm, ToAdjacency(layout)]
    assert fingerprint(T.Compose(transforms)(data)) == expected


def test_the_order_of_edges_does_not_matter(data):
    expected = fingerprint(data)
    for edge_type in (INTERACTS, describes('image')):
        edge_index = data[edge_type].edge_index
        perm = torch.randperm(edge_index.size(1))
        data[edge_type].edge_index = edge_index[:, perm]
    assert fingerprint(data) == expected


def test_it_survives_json(data):
    expected = fingerprint(data)
    assert json.loads(json.dumps(expected)) == expected
    assert differences(expected, expected) == []
    assert (expected['num_users'], expected['num_items']) == (100, 80)
    assert expected['num_pairs'] == data[INTERACTS].edge_index.size(1)


def change_a_pair(data):
    edge_index = data[INTERACTS].edge_index
    row = torch.zeros(100, 80, dtype=torch.bool)
    row[tuple(edge_index)] = True
    edge_index[:, 17] = (~row).nonzero()[5]


def drop_a_pair(data):
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, :-1]


def swap_features(data):
    data['image'].x = data['image'].x.roll(1, dims=0)


def swap_columns(data):
    data['text'].x = data['text'].x.roll(1, dims=1)


def change_a_row(data):
    data['image'].x[3] = data['image'].x[4]


def cut_features(data):
    data['text'].x = data['text'].x[:, :7]


def widen_features(data):
    data['text'].x = data['text'].x.double()


def describe_others(data):
    data[describes('text')].edge_index[1] += 1
    data[describes('text')].edge_index[1] %= 80


def rename(data):
    data['user'].ids[7] = 'someone else'


def reorder(data):
    data['item'].ids = data['item'].ids[::-1]


def drop_text(data):
    del data['text']
    del data[describes('text')]


CHANGES = {
    change_a_pair: ['other training pairs'],
    drop_a_pair: ['727 training pairs instead of 728'],
    StandardizeFeatures(): [
        "other features of 'image'",
        "other features of 'text'",
    ],
    swap_features: ["other features of 'image'"],
    swap_columns: ["other features of 'text'"],
    change_a_row: ["other features of 'image'"],
    cut_features: ["features of 'text' of shape [75, 7] instead of [75, 8]"],
    widen_features: ["features of 'text' of dtype float64 instead of float32"],
    describe_others: ["other items described by 'text'"],
    rename: ['other ids of users'],
    reorder: ['other ids of items'],
    drop_text: ["no features of 'text'"],
}


@pytest.mark.parametrize('change', list(CHANGES))
def test_every_difference_is_named(data, change):
    expected = fingerprint(data)
    data = change(data) or data
    assert differences(expected, fingerprint(data)) == CHANGES[change]


def test_rounding_does_not_matter(data):
    expected = fingerprint(data)
    noise = 1 + 1e-7 * torch.randn_like(data['image'].x)
    data['image'].x *= noise
    got = fingerprint(data)
    assert got != expected
    assert differences(expected, got) == []


@pytest.mark.parametrize('scale', [1e-8, 1e4, 1e8, 1e12])
def test_large_columns_do_not_hide_small_ones(data, scale):
    data['image'].x[:, 2] *= scale
    expected = fingerprint(data)
    x = data['image'].x
    for column in range(x.size(1)):
        changes = [x[:, column].roll(1), x[:, column] * 1.001, -x[:, column]]
        changes += [x[:, column].where(torch.arange(x.size(0)) != 7, x[8, column])]
        for change in changes:
            data['image'].x = x.clone()
            data['image'].x[:, column] = change
            found = differences(expected, fingerprint(data))
            assert found == ["other features of 'image'"]
    data['image'].x = x * (1 + 1e-7 * torch.randn_like(x))
    assert differences(expected, fingerprint(data)) == []


def test_one_changed_row_among_many_is_seen():
    data = SyntheticMultimodal('tiny')[0]
    x = torch.nn.functional.normalize(torch.randn(20_000, 8))
    data['image'].x = x
    owner = torch.arange(20_000) % 80
    data[describes('image')].edge_index = torch.stack([torch.arange(20_000), owner])
    expected = fingerprint(data)
    for row in torch.randint(20_000, (20,)).tolist():
        kept = x[row].clone()
        x[row] = torch.nn.functional.normalize(torch.randn(8), dim=0)
        assert differences(expected, fingerprint(data)) == ["other features of 'image'"]
        x[row] = kept


def test_ids_and_modalities_that_only_one_side_has_do_not_count(data):
    with_ids = fingerprint(data)
    del data['user'].ids
    without = fingerprint(data)
    assert differences(with_ids, without) == differences(without, with_ids) == []
    drop_text(data)
    assert differences(fingerprint(data), with_ids) == []


def test_strings_and_integers_are_different_ids(data):
    expected = fingerprint(data)
    data['item'].ids = [str(x) for x in data['item'].ids]
    assert differences(expected, fingerprint(data)) == ['other ids of items']
