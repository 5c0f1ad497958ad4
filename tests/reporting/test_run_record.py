import json

import pytest
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.reporting import dataset_summary, peak_memory, save_json, versions


def test_dataset_summary():
    data = HeteroData()
    data['user'].num_nodes = 3
    data['item'].num_nodes = 4
    data['text'].x = torch.randn(2, 5)
    data['text', 'describes', 'item'].edge_index = torch.tensor([[0, 1], [3, 0]])
    data[INTERACTS].edge_index = torch.tensor([[0, 1], [3, 0]])
    data[INTERACTS].val_edge_label_index = torch.tensor([[0], [1]])
    data[INTERACTS].test_edge_label_index = torch.tensor([[0, 1, 2], [2, 2, 2]])
    assert dataset_summary(data) == {
        'num_users': 3,
        'num_items': 4,
        'num_train': 2,
        'num_val': 1,
        'num_test': 3,
        'modalities': {'text': [2, 5]},
    }


def test_peak_memory_is_in_bytes():
    assert 2**25 < peak_memory()['resident'] < 2**38


def test_versions_are_plain_types():
    out = json.loads(json.dumps(versions()))
    assert out['torch'].startswith(torch.__version__.split('+')[0])
    assert out['threads'] == torch.get_num_threads()


def test_save_json_leaves_nothing_half_written(tmp_path):
    path = tmp_path / 'runs' / 'run.json'
    save_json({'seed': 1}, str(path))
    assert json.loads(path.read_text()) == {'seed': 1}
    with pytest.raises(TypeError):
        save_json({'seed': torch.ones(1)}, str(path))
    assert json.loads(path.read_text()) == {'seed': 1}
    assert [p.name for p in path.parent.iterdir()] == ['run.json']
