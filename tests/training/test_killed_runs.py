import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lgmrec_pyg.storage import load_tensors

SCENARIOS = ['writing', 'fsync', 'replace', 'replaced', 'seed 0', 'seed 1', 'seed 2']
COURSE = ('losses', 'metrics', 'eval_epochs', 'best_epoch', 'stopped_by', 'epochs_run')


def course(history):
    return {key: history[key] for key in COURSE}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope='module')
def killed(tmp_path_factory):
    root = tmp_path_factory.mktemp('killed')
    script = Path(__file__).with_name('killed_runs.py')
    subprocess.run([sys.executable, str(script), str(root)], check=True)
    return root


@pytest.mark.parametrize('name', SCENARIOS)
def test_killed_runs_end_like_one_that_was_not(killed, name):
    records = [
        course(json.loads((killed / x / 'history.json').read_text()))
        for x in ('uninterrupted', name)
    ]
    assert records[0] == records[1]
    assert records[0]['epochs_run'] == 9
    for file in ('final', 'run.safetensors'):
        expected = load_tensors(killed / 'uninterrupted' / file)
        assert equal(load_tensors(killed / name / file), expected)
    assert {'random/cpu', 'random/sampler'} < expected.keys()
    names = ['final', 'history.json', 'run.safetensors']
    assert sorted(os.listdir(killed / name)) == names


def test_killed_runs_were_killed(killed):
    report = json.loads((killed / 'report.json').read_text())
    for moment in ('writing', 'fsync', 'replace'):
        assert report[moment] == {'kills': 2, 'leftovers': 2}
    assert report['replaced'] == {'kills': 2, 'leftovers': 0}
    assert sum(report[f'seed {seed}']['kills'] for seed in range(3)) > 0
