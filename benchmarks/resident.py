r"""The memory of this process: resident on a CPU, that of tensors on CUDA."""

import torch

MIB = 2**20


def current_memory(device: torch.device) -> int:
    r"""Resident memory, or the memory of tensors on CUDA."""
    if device.type == 'cuda':
        return torch.cuda.memory_allocated(device)
    return _status('VmRSS')


def peak_memory(device: torch.device) -> int:
    r"""The largest :meth:`current_memory` since :meth:`reset_peak`."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    return _status('VmHWM')


def reset_peak(device: torch.device) -> None:
    r"""Starts a new peak at the current memory."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        return
    with open('/proc/self/clear_refs', 'w', encoding='ascii') as file:
        file.write('5')


def _status(key: str) -> int:
    with open('/proc/self/status', encoding='ascii') as file:
        fields = dict(line.split(':', 1) for line in file)
    return int(fields[key].split()[0]) * 1024
