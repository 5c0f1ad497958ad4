r"""Peak memory, copy bandwidth and traces."""

import json
import os
import re
import tempfile
from collections.abc import Iterable

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.harness import Call, compare, synchronize


def peak_memory(call: Call, device: torch.device) -> int:
    r"""The most bytes of tensors that a call holds at once, on top of what was
    there before it. Call once before, to leave one-time allocations out.
    """
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        call()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'trace.json')
        prof.export_chrome_trace(path)
        with open(path, encoding='utf-8') as file:
            return _peak_of_trace(json.load(file)['traceEvents'])


def copy_bandwidth(device: torch.device, num_bytes: int | None = None) -> float:
    r"""The bytes per second that a plain copy reads and writes, for arrays far
    larger than any cache.
    """
    if num_bytes is None:
        num_bytes = 2**30 if device.type == 'cuda' else 2**28
    source = torch.ones(num_bytes // 4, device=device)
    target = torch.empty_like(source)
    timing = compare({'copy': lambda: target.copy_(source)}, device, budget=1.0)['copy']
    return 2 * num_bytes / (timing.median / 1e3)


def write_trace(call: Call, device: torch.device, folder: str, name: str) -> str:
    r"""Writes a trace of three calls for ``chrome://tracing`` or Perfetto."""
    activities = [ProfilerActivity.CPU]
    if device.type == 'cuda':
        activities.append(ProfilerActivity.CUDA)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, re.sub(r'[^\w.=-]+', '-', name) + '.json')
    call()
    with profile(activities=activities, record_shapes=True) as prof:
        for _ in range(3):
            call()
        synchronize(device)
    prof.export_chrome_trace(path)
    return path


def _peak_of_trace(events: Iterable[dict]) -> int:
    # The running total, not 'Total Allocated', which counts from the start of
    # the process in some versions and of the trace in others.
    memory = [e for e in events if e.get('name') == '[memory]']
    memory = [e for e in memory if e['args'].get('Device Type') == 0]
    total = peak = 0
    for event in sorted(memory, key=lambda e: e['ts']):
        total += event['args']['Bytes']
        peak = max(peak, total)
    return peak
