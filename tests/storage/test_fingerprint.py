import json

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes
from lgmrec_pyg.storage import fingerprint
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


def test_the_width_of_indices_does_not_matter(data):
    expected = fingerprint(data)
    data[INTERACTS].edge_index = data[INTERACTS].edge_index.int()
    data[describes('image')].edge_index = data[describes('image')].edge_index.int()
    assert fingerprint(data) == expected


def test_it_survives_json(data):
    expected = fingerprint(data)
    assert json.loads(json.dumps(expected)) == expected
    assert (expected['num_users'], expected['num_items']) == (100, 80)
    assert expected['num_pairs'] == data[INTERACTS].edge_index.size(1)


def change_a_pair(data):
    edge_index = data[INTERACTS].edge_index
    row = torch.zeros(100, 80, dtype=torch.bool)
    row[tuple(edge_index)] = True
    edge_index[:, 17] = (~row).nonzero()[5]


def drop_a_pair(data):
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, :-1]


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


def to_strings(data):
    data['item'].ids = [str(x) for x in data['item'].ids]


def drop_text(data):
    del data['text']
    del data[describes('text')]


def drop_ids(data):
    del data['user'].ids


CHANGES = {
    change_a_pair: ['training pairs'],
    drop_a_pair: ['num_pairs', 'training pairs'],
    StandardizeFeatures(): ["values of 'image'", "values of 'text'"],
    change_a_row: ["values of 'image'"],
    cut_features: ["values of 'text'", "width of 'text'"],
    widen_features: ["values of 'text'"],
    describe_others: ["items described by 'text'"],
    rename: ['user ids'],
    reorder: ['item ids'],
    to_strings: ['item ids'],
    drop_ids: ['user ids'],
    drop_text: ["items described by 'text'", "values of 'text'", "width of 'text'"],
}


@pytest.mark.parametrize('change', list(CHANGES))
def test_every_difference_has_a_name(data, change):
    expected = fingerprint(data)
    got = fingerprint(change(data) or data)
    names = {name for name in expected if expected[name] != got.get(name)}
    assert sorted(names) == CHANGES[change]
