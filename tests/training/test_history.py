import json
import math

import pytest

from lgmrec_pyg.training import History


def test_history():
    history = History(
        losses=[{'total': 3.0}, {'total': 2.0}, {'total': 1.0}],
        metrics=[{'Recall@20': 0.1}, {'Recall@20': 0.2}],
        eval_epochs=[2, 3],
        train_seconds=[0.5, 0.5, 1],
        eval_seconds=[0.5, 0.25],
        best_epoch=3,
    )
    assert history.epochs_run == 3
    assert history.best_metrics == {'Recall@20': 0.2}
    record = json.loads(json.dumps(history.to_dict()))
    assert record['epochs_run'] == 3
    assert record['losses'][1] == {'total': 2.0}
    assert History.from_dict(record) == history


def test_empty_history():
    assert History().best_metrics == {}
    assert History().epochs_run == 0


def test_repr_is_one_line():
    history = History(
        losses=[{'total': 1.0}] * 3,
        metrics=[{'Recall@20': 0.25}, {'Recall@20': 0.125}],
        eval_epochs=[1, 2],
        best_epoch=1,
        stopped_by='patience',
    )
    assert repr(history) == (
        "History(epochs_run=3, best_epoch=1, stopped_by='patience', Recall@20=0.2500)"
    )


RECORD = {
    'losses': [{'total': 2.0}, {'total': 1.0}],
    'metrics': [{'Recall@20': math.nan}],
    'eval_epochs': [2],
    'train_seconds': [0.5, 0.5],
    'eval_seconds': [0.5],
    'best_epoch': 0,
    'stopped_by': 'epochs',
    'epochs_run': 2,
}
CHANGES = [
    {'losses': []},
    {'losses': None},
    {'losses': 'ab'},
    {'metrics': [{'Recall@20': 'x'}]},
    {'train_seconds': [0.5]},
    {'metrics': []},
    {'eval_seconds': []},
    {'eval_epochs': [3]},
    {'eval_epochs': [0]},
    {'eval_epochs': ['x']},
    {'best_epoch': 1},
    {'epochs_run': 3},
    {
        'metrics': [{}, {}],
        'eval_seconds': [1, 1],
        'eval_epochs': [2, 1],
    },
]


@pytest.mark.parametrize('change', CHANGES)
def test_inconsistent_records_are_refused(change):
    History.from_dict(RECORD)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        History.from_dict(RECORD | change)
