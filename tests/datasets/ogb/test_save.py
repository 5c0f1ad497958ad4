import os

import pytest
import torch
import torch_geometric.transforms as T
from graphs import irregular_graph
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.ogb import allow_ogb_files, load_ogb, save_ogb
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, set_ids

pytest.importorskip('ogb')

NAME = 'ogbl-toy-items'


def complete_graph() -> HeteroData:
    r"""Ids, all splits, and modalities whose order is not that of the alphabet."""
    data = irregular_graph(num_modalities=3, dtype=torch.float32)
    set_ids(data, 'user', [f'user {i}' for i in range(11)])
    set_ids(data, 'item', [2**62 - i for i in range(9)])
    data[INTERACTS].val_edge_label_index = torch.tensor([[3, 10], [2, 8]])
    data[INTERACTS].test_edge_label_index = torch.tensor([[10, 3, 3], [2, 8, 1]])
    out = HeteroData()
    for node_type in ('user', 'item', 'text', 'image', 'audio'):
        out[node_type].update(data[node_type])
    for edge_type in data.edge_types:
        out[edge_type].update(data[edge_type])
    return out


def assert_identical(out: HeteroData, expected: HeteroData) -> None:
    assert out.node_types == expected.node_types
    assert set(out.edge_types) == set(expected.edge_types)
    for key in [*expected.node_types, *expected.edge_types]:
        assert set(out[key].keys()) == set(expected[key].keys())
        for name, value in expected[key].items():
            if isinstance(value, torch.Tensor):
                assert out[key][name].dtype == value.dtype
                assert torch.equal(out[key][name], value)
            else:
                assert out[key][name] == value
                assert type(out[key][name]) is type(value)


def ogb_dataset(folder: str, name: str = NAME):
    from ogb.linkproppred import PygLinkPropPredDataset

    meta_dict = torch.load(f'{folder}/meta_dict.pt')
    return PygLinkPropPredDataset(name, meta_dict=meta_dict)


def test_save_ogb_and_load_ogb_are_inverse_to_the_bit(tmp_path, capsys):
    data = complete_graph()
    folder = save_ogb(data, str(tmp_path), NAME)
    assert folder == str(tmp_path / 'ogbl_toy_items')
    assert_identical(load_ogb(str(tmp_path), NAME), data)
    assert os.listdir(tmp_path) == ['ogbl_toy_items']
    assert capsys.readouterr() == ('', '')


def test_save_ogb_keeps_a_graph_without_ids_or_modalities(tmp_path):
    data = irregular_graph(num_modalities=0)
    save_ogb(data, str(tmp_path), NAME)
    out = load_ogb(str(tmp_path), NAME)
    for name in ('val_edge_label_index', 'test_edge_label_index'):
        assert out[INTERACTS].pop(name).tolist() == [[], []]
    assert_identical(out, data)


def test_save_ogb_keeps_a_modality_without_nodes(tmp_path):
    data = complete_graph()
    data['image'].x = torch.empty(0, 4)
    data[describes('image')].edge_index = torch.empty(2, 0, dtype=torch.long)
    save_ogb(data, str(tmp_path), NAME)
    assert_identical(load_ogb(str(tmp_path), NAME), data)


def test_save_ogb_takes_edge_index_objects(tmp_path):
    data, wrapped = complete_graph(), complete_graph()
    edge_index = EdgeIndex(data[INTERACTS].edge_index, sparse_size=(11, 9))
    wrapped[INTERACTS].edge_index = edge_index
    save_ogb(wrapped, str(tmp_path), NAME)
    assert_identical(load_ogb(str(tmp_path), NAME), data)


def test_ogb_loads_what_save_ogb_saves(tmp_path):
    data = complete_graph()
    folder = save_ogb(data, str(tmp_path), NAME)
    with allow_ogb_files():
        for _ in range(2):  # The second time from the cache of OGB.
            dataset = ogb_dataset(folder)
            split = dataset.get_edge_split()
            out = dataset[0]
    assert dataset.is_hetero
    assert out.num_nodes_dict == {key: data[key].num_nodes for key in data.node_types}
    for modality, x in out.x_dict.items():
        assert x.dtype == torch.float32
        assert torch.equal(x, data[modality].x)
    assert set(out.x_dict) == {'image', 'text', 'audio'}
    assert set(out.edge_index_dict) == set(data.edge_types)
    for edge_type, edge_index in out.edge_index_dict.items():
        assert torch.equal(edge_index, data[edge_type].edge_index)
    for key, name in {
        'train': 'edge_index',
        'valid': 'val_edge_label_index',
        'test': 'test_edge_label_index',
    }.items():
        users, items = data[INTERACTS][name].tolist()
        assert split[key]['head'].tolist() == users
        assert split[key]['tail'].tolist() == items
        assert split[key]['head_type'] == ['user'] * len(users)
        assert split[key]['tail_type'] == ['item'] * len(items)
        assert split[key]['relation'].tolist() == [0] * len(users)


def test_ogb_loads_it_without_pyg_as_well(tmp_path):
    from ogb.linkproppred import LinkPropPredDataset

    data = complete_graph()
    folder = save_ogb(data, str(tmp_path), NAME)
    meta_dict = torch.load(f'{folder}/meta_dict.pt')
    graph = LinkPropPredDataset(NAME, meta_dict=meta_dict)[0]
    expected = data[INTERACTS].edge_index.tolist()
    assert graph['edge_index_dict'][INTERACTS].tolist() == expected
    assert graph['node_feat_dict']['text'].tolist() == data['text'].x.tolist()


def test_save_ogb_writes_ids_as_pandas_and_ogb_read_them(tmp_path):
    import pandas as pd

    folder = save_ogb(complete_graph(), str(tmp_path), NAME)
    users = pd.read_csv(f'{folder}/mapping/user_entidx2name.csv.gz')
    assert users.columns.tolist() == ['ent idx', 'ent name']
    assert users['ent name'].tolist()[:2] == ['user 0', 'user 1']
    items = pd.read_csv(f'{folder}/mapping/item_entidx2name.csv.gz')
    assert items['ent name'].tolist()[:2] == [2**62, 2**62 - 1]


def test_save_ogb_replaces_a_folder_only_when_asked_to(tmp_path):
    data, other = complete_graph(), irregular_graph(num_modalities=0, num_users=5)
    folder = save_ogb(data, str(tmp_path), NAME)
    with allow_ogb_files():
        ogb_dataset(folder)  # Leaves a cache, which must not outlive the graph.
    with pytest.raises(FileExistsError, match=r"exists: pass 'overwrite=True'"):
        save_ogb(other, str(tmp_path), NAME)
    assert_identical(load_ogb(str(tmp_path), NAME), data)
    save_ogb(other, str(tmp_path), NAME, overwrite=True)
    assert load_ogb(str(tmp_path), NAME)['user'].num_nodes == 5
    assert os.listdir(f'{folder}/processed') == []
    assert os.listdir(tmp_path) == ['ogbl_toy_items']


def test_save_ogb_leaves_the_old_folder_if_it_fails(tmp_path):
    data = complete_graph()
    save_ogb(data, str(tmp_path), NAME)
    broken = complete_graph()
    broken[describes('text')].edge_index = torch.tensor([[0], [99]])
    with pytest.raises(ValueError, match='indices from 0 to 8'):
        save_ogb(broken, str(tmp_path), NAME, overwrite=True)
    assert os.listdir(tmp_path) == ['ogbl_toy_items']
    assert_identical(load_ogb(str(tmp_path), NAME), data)


@pytest.mark.parametrize(
    'name', ['toy', 'ogbn-toy', 'ogbl-', 'ogbl-../toy', 'ogbl-a/b', '/ogbl-toy', '']
)
def test_save_ogb_refuses_other_names(tmp_path, name):
    with pytest.raises(ValueError, match=r"'name' needs to be like 'ogbl-clo"):
        save_ogb(complete_graph(), str(tmp_path / 'root'), name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_save_ogb_refuses_to_round_features(tmp_path, dtype):
    data = complete_graph()
    data['text'].x = data['text'].x.to(dtype)
    with pytest.raises(ValueError, match=rf"no place for .*{dtype} of 'text'"):
        save_ogb(data, str(tmp_path / 'root'), NAME)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('name', ['a___b', 'trailing_', 'file', 'allow_pickle'])
def test_save_ogb_refuses_names_of_modalities_that_ogb_mistakes(tmp_path, name):
    data = complete_graph()
    data[name].x = torch.ones(1, 2)
    data[describes(name)].edge_index = torch.zeros(2, 1, dtype=torch.long)
    with pytest.raises(ValueError, match=rf"no place for .*the name of '{name}'"):
        save_ogb(data, str(tmp_path), NAME)


def with_graph_attribute(data: HeteroData) -> HeteroData:
    data.name = 'toy'
    return data


def with_user_features(data: HeteroData) -> HeteroData:
    data['user'].x = torch.ones(11, 2)
    return data


def with_weights(data: HeteroData) -> HeteroData:
    data[INTERACTS].edge_weight = torch.ones(data[INTERACTS].num_edges)
    return data


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (with_graph_attribute, r"no place for .*'name' of 'graph'"),
        (with_user_features, r"no place for .*'x' of 'user'"),
        (with_weights, r"no place for .*'edge_weight' of '\('user'"),
        (T.ToUndirected(), r"no place for .*'edge_index' of '\('item', 'rev_"),
    ],
)
def test_save_ogb_refuses_to_lose_anything(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        save_ogb(change(complete_graph()), str(tmp_path), NAME)


def test_save_ogb_refuses_ids_that_are_not_one_per_node(tmp_path):
    data = complete_graph()
    data['user'].ids = data['user'].ids[:-1]
    with pytest.raises(ValueError, match=r"'user.ids' needs .* 11 ids, .* \(got 10\)"):
        save_ogb(data, str(tmp_path), NAME)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ('id_', 'message'),
    [
        ('not \ud800 text', r"'user.ids' needs .* valid Unicode .* in position 4"),
        ('', r"'user.ids' needs to hold non-empty ids \(got '' in position 4\)"),
    ],
)
def test_save_ogb_refuses_ids_that_cannot_be_read_back(tmp_path, id_, message):
    data = complete_graph()
    save_ogb(data, str(tmp_path), NAME)
    broken = complete_graph()
    broken['user'].ids = [*get_ids(data, 'user')[:4], id_, *get_ids(data, 'user')[5:]]
    for root in (tmp_path, tmp_path / 'root'):
        with pytest.raises(ValueError, match=message):
            save_ogb(broken, str(root), NAME, overwrite=True)
    assert os.listdir(tmp_path) == ['ogbl_toy_items']
    assert_identical(load_ogb(str(tmp_path), NAME), data)


def test_save_ogb_refuses_integers_beyond_64_bits(tmp_path):
    data = complete_graph()
    data['item'].ids = [2**63, *get_ids(data, 'item')[1:]]
    with pytest.raises(ValueError, match=r"'item.ids' .* at most 64 bits"):
        save_ogb(data, str(tmp_path), NAME)
    assert os.listdir(tmp_path) == []
