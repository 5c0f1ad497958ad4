import os

import torch
import torch_geometric

from benchmarks import environment

CPU = torch.device('cpu')


def test_describe_environment():
    row = environment.describe_environment(CPU, machine=None)
    assert row['torch_geometric'] == torch_geometric.__version__
    assert row['machine'].startswith(f'{len(os.sched_getaffinity(0))}-core ')
    assert row['device'] == 'cpu'
    assert all(isinstance(value, str) for value in row.values())


def test_missing_packages_are_empty(monkeypatch):
    monkeypatch.setattr(environment, 'versions', lambda device: {'torch_sparse': None})
    assert environment.describe_environment(CPU, 'mine')['torch_sparse'] == ''


def test_busy_warning(monkeypatch):
    monkeypatch.setattr(os, 'cpu_count', lambda: 4)
    monkeypatch.setattr(os, 'getloadavg', lambda: (3.0, 0.0, 0.0))
    assert 'load average is 3.0 on 4 cores' in str(environment.busy_warning())
    monkeypatch.setattr(os, 'getloadavg', lambda: (0.4, 0.0, 0.0))
    assert environment.busy_warning() is None
