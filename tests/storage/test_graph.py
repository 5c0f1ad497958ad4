import json

import pytest
import torch
import torch_geometric.transforms as T
from graphs import irregular_graph
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, get_ids, set_ids
from lgmrec_pyg.storage import (
    fingerprint,
    load_graph,
    load_tensors,
    save_graph,
    save_tensors,
)
from lgmrec_pyg.transforms import SimilarItems, ToAdjacency


def check_same(a: HeteroData, b: HeteroData) -> None:
    r"""Types in their order, attributes, and tensors to the bit."""
    assert (a.node_types, a.edge_types) == (b.node_types, b.edge_types)
    for left, right in zip(a.stores, b.stores, strict=True):
        assert {*left.keys()} == {*right.keys()}
        for name, value in left.items():
            assert type(value) is type(right[name])
            if isinstance(value, torch.Tensor):
                assert value.dtype == right[name].dtype
                assert torch.equal(value, right[name])
            else:
                assert value == right[name]


def round_trip(data, tmp_path):
    save_graph(data, tmp_path / 'graph.safetensors')
    return load_graph(tmp_path / 'graph.safetensors')


def test_round_trip_of_the_built_in_data(tmp_path):
    data = SyntheticMultimodal('tiny')[0]
    out = round_trip(data, tmp_path)
    check_same(data, out)
    assert 'test_edge_label_index' in out[INTERACTS]
    assert fingerprint(out) == fingerprint(data)


def test_ids_of_both_kinds_and_whatever_else_there_is(tmp_path):
    data = irregular_graph(num_modalities=3, dtype=torch.bfloat16)
    set_ids(data, 'user', range(11))
    set_ids(data, 'item', [f'größe {i}/x' for i in range(9)])
    data = SimilarItems(k=2)(data)
    data['item'].titles = ['<b>', None, 'ü', *'abcdef']
    data['audio']['a/b'] = torch.tensor(2.5)
    data.source, data.scale = {'name': 'here', 'years': [2014, 2018]}, torch.ones(2, 0)
    out = round_trip(data, tmp_path)
    check_same(data, out)
    assert get_ids(out, 'item')[8] == 'größe 8/x'
    assert out.source['years'] == [2014, 2018]


def test_edges_of_pyg_become_tensors(tmp_path):
    data = irregular_graph()
    pairs = data[INTERACTS].edge_index
    data[INTERACTS].edge_index = EdgeIndex(pairs, sparse_size=(11, 9))
    assert type(round_trip(data, tmp_path)[INTERACTS].edge_index) is torch.Tensor
    assert torch.equal(round_trip(data, tmp_path)[INTERACTS].edge_index, pairs)


@pytest.mark.parametrize('change', ['csr', 'tuple', 'object', 'schema'])
def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path, change):
    data = irregular_graph()
    if change == 'csr':
        data = ToAdjacency('csr')(T.ToUndirected()(data))
    elif change == 'tuple':
        data.sizes = (1, 2)
    elif change == 'object':
        data.sizes = {1, 2}
    else:
        data['text'].x[0, 0] = float('nan')
    match = {'csr': 'adj_t.*needs to be dense', 'schema': 'finite'}
    with pytest.raises(ValueError, match=match.get(change, "'data' needs to hold")):
        round_trip(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sparse_tensors_are_refused(tmp_path):
    pytest.importorskip('torch_sparse')
    data = T.ToSparseTensor()(T.ToUndirected()(irregular_graph()))
    with pytest.raises(ValueError, match='before its edges become an adjacency'):
        save_graph(data, tmp_path / 'x')


@pytest.mark.parametrize('change', ['format', 'stores', 'tensor', 'key', 'graph'])
def test_other_content_is_refused(tmp_path, change):
    path = tmp_path / 'graph.safetensors'
    save_graph(irregular_graph(), path)
    tensors = load_tensors(path)
    metadata = {'format': 'lgmrec_pyg.graph', 'version': '1'}
    stores = [['user', {'num_nodes': 11}], ['item', {'num_nodes': 9}]]
    if change == 'format':
        metadata['version'] = '0'
    elif change == 'tensor':
        tensors = {'a/b': torch.ones(1)}
    elif change == 'key':
        stores.append([['a', 'b'], {}])
    metadata |= {} if change == 'stores' else {'stores': json.dumps(stores)}
    save_tensors({} if change == 'graph' else tensors, path, metadata)
    with pytest.raises(ValueError, match=r"graph\.safetensors' needs to be an undam"):
        load_graph(path)


def test_damage_is_seen(tmp_path):
    path = tmp_path / 'graph.safetensors'
    save_graph(irregular_graph(), path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match='its digest differs'):
        load_graph(path)
