import re
import warnings

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import add_item_features, multi_hot
from lgmrec_pyg.graph import INTERACTS, describes, modalities, validate_graph
from lgmrec_pyg.transforms import DegreeNorm


def make_graph(ids: list | None) -> HeteroData:
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = 1, 3
    if ids is not None:
        data['item'].ids = ids
    data[INTERACTS].edge_index = torch.zeros(2, 1, dtype=torch.long)
    return data


def test_add_item_features() -> None:
    data = make_graph(['a', 'b', 'c'])
    x = torch.tensor([[1.0], [2.0], [3.0]])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        out = add_item_features(
            data, {'text': (['c', 'a', 'c'], x), 'image': {'b': [4, 5]}}
        )
    validate_graph(out)
    assert modalities(data) == []
    assert modalities(out) == ['text', 'image']
    assert out['text'].x.tolist() == [[2], [1], [3]]
    assert out[describes('text')].edge_index.tolist() == [[0, 1, 2], [0, 2, 2]]
    assert out['image'].x.tolist() == [[4, 5]]
    assert out[describes('image')].edge_index.tolist() == [[0], [1]]
    assert add_item_features(out, {'text': {'a': [6]}})['text'].x.tolist() == [[6]]


def test_add_item_features_to_graph_without_ids() -> None:
    out = add_item_features(make_graph(None), {'text': ([2, 0], [[1], [2]])})
    assert out['text'].x.tolist() == [[2], [1]]
    assert out[describes('text')].edge_index.tolist() == [[0, 1], [0, 2]]


def test_add_item_features_of_unknown_items() -> None:
    data = make_graph(['a', 'b', 'c'])
    message = "'text' describe 1 of 3 items, and 2 unknown ones such as 'x', 'y'"
    ids = ['x', 'a', 'y', 'x']
    with pytest.warns(UserWarning, match=re.escape(message)):
        out = add_item_features(data, {'text': (ids, torch.arange(4.0).view(4, 1))})
    assert out['text'].x.tolist() == [[1]]


def test_add_item_features_errors() -> None:
    data = make_graph([10, 11, 12])
    message = (
        "'features' of 'text' need to have ids of the same type as the interactions, "
        "such as 10, 11, 12 (got '10')"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        add_item_features(data, {'text': {'10': [1]}})
    message = (
        'to describe items such as 10, 11, 12 (got 0 of 3 items, and 1 unknown ones '
        'such as 9)'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        add_item_features(data, {'text': {9: [1]}})


def test_add_item_features_replaces_those_of_a_modality() -> None:
    data = make_graph(['a', 'b', 'c'])
    data = add_item_features(data, {'text': (['a', 'b', 'c'], torch.eye(3))})
    data = T.ToUndirected()(data)
    out = add_item_features(data, {'text': (['c', 'c'], torch.ones(2, 1))})
    assert out['text', 'describes', 'item'].edge_index.tolist() == [[0, 1], [2, 2]]
    assert ('item', 'rev_describes', 'text') not in out.edge_types
    assert data['text'].x.size() == (3, 3)


def test_add_item_features_to_a_prepared_graph() -> None:
    data = DegreeNorm()(make_graph(['a', 'b', 'c']))
    with pytest.raises(ValueError, match='the graph before transforms'):
        add_item_features(data, {'text': {'a': [1]}})


def test_multi_hot() -> None:
    x, names = multi_hot([['Drama'], [], ['Crime', 'Drama', 'Crime']])
    assert names == ['Crime', 'Drama']
    assert x.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert x.dtype == torch.float32
    assert multi_hot([])[0].size() == (0, 0)
    assert multi_hot([[]])[0].size() == (1, 0)
    with pytest.raises(ValueError, match='a list of labels in every row'):
        multi_hot([['Crime'], 'Drama'])
