import json
import os

import torch

from benchmarks.profiling import copy_bandwidth, peak_memory, write_trace

CPU = torch.device('cpu')
MIB = 2**20


def test_peak_memory_counts_what_lives_at_once():
    def call() -> torch.Tensor:
        first = torch.empty(4 * MIB, dtype=torch.int8)
        second = torch.empty(8 * MIB, dtype=torch.int8)  # Peak: 12 MiB.
        del first, second
        return torch.empty(5 * MIB, dtype=torch.int8)

    assert peak_memory(call, CPU) == 12 * MIB


def test_peak_memory_leaves_out_what_was_there():
    kept = torch.zeros(8 * MIB, dtype=torch.int8)
    assert peak_memory(lambda: kept.add_(1), CPU) < MIB


def test_copy_bandwidth_is_plausible():
    assert 1e8 < copy_bandwidth(CPU, 16 * MIB) < 1e13


def test_write_trace(tmp_path):
    x = torch.ones(8, 8)
    path = write_trace(lambda: x @ x, CPU, str(tmp_path / 'new'), 'mm a/b=1')
    assert os.path.basename(path) == 'mm-a-b=1.json'
    with open(path, encoding='utf-8') as file:
        names = {event.get('name') for event in json.load(file)['traceEvents']}
    assert 'aten::mm' in names
