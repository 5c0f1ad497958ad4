import json

import pytest
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.reporting import (
    dataset_summary,
    peak_memory,
    run_record,
    save_json,
    versions,
)
from lgmrec_pyg.training import History


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


def test_summary_of_a_graph_that_was_not_split():
    data = SyntheticMultimodal('tiny')[0]
    for split in ('val', 'test'):
        del data[INTERACTS][f'{split}_edge_label_index']
    summary = dataset_summary(data)
    assert (summary['num_val'], summary['num_test']) == (0, 0)


def test_run_record():
    data = SyntheticMultimodal('tiny')[0]
    metrics = [{'Recall@20': 0.1}, {'Recall@20': 0.3}]
    history = History([{'total': 2.0}] * 3, metrics, [1, 3], [1.5] * 3, [0.25] * 2, 3)
    options = {'seconds': {'setup': 4.0}, 'test': {'Recall@20': 0.2}}
    out = run_record('tiny', data, history, {'lr': 0.1}, **options)
    out = json.loads(json.dumps(out))
    assert out['dataset'] == {'name': 'tiny', **dataset_summary(data)}
    assert out['seconds'] == {'train': 4.5, 'eval': 0.5, 'setup': 4.0}
    assert (out['validation'], out['test']) == (metrics[1], {'Recall@20': 0.2})
    assert (out['best_epoch'], out['epochs_run'], out['settings']) == (
        3,
        3,
        {'lr': 0.1},
    )
    assert History.from_dict(out['history']) == history


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
