r"""What a measurement depends on besides the code: written into every row."""

import datetime
import os
import platform

import torch

from lgmrec_pyg.reporting import versions

VERSIONS = (
    'threads',
    'python',
    'torch',
    'torch_geometric',
    'torch_sparse',
    'lgmrec_pyg',
)


def describe_environment(device: torch.device, machine: str | None) -> dict[str, str]:
    r"""The columns that name device, threads and versions; :obj:`machine` replaces
    the name that the operating system gives the processor.
    """
    found = versions(device)
    return {
        'device': device.type,
        'machine': machine or machine_name(device),
        **{name: str(found.get(name) or '') for name in VERSIONS},
        'date': datetime.date.today().isoformat(),
    }


def machine_name(device: torch.device) -> str:
    r"""The name of the processor or accelerator, with what it can do."""
    if device.type == 'cuda':
        major, minor = torch.cuda.get_device_capability(device)
        return f'{torch.cuda.get_device_name(device)} (sm_{major}{minor})'
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else None
    features = [torch.backends.cpu.get_cpu_capability()]
    if 'avx512_bf16' in _cpu_info('flags').split():
        features.append('bf16')
    name = _cpu_info('model name') or platform.processor() or platform.machine()
    return f'{cores or os.cpu_count()}-core {name} ({" ".join(features)})'


def busy_warning() -> str | None:
    r"""A warning if other work competes for the processors, else nothing."""
    if not hasattr(os, 'getloadavg'):
        return None
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < 0.3 * cores:
        return None
    return (
        f'The load average is {load:.1f} on {cores} cores: other work disturbs the '
        f'measurement. Ratios of interleaved candidates suffer less than times.'
    )


def _cpu_info(key: str) -> str:
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as file:
            for line in file:
                name, _, value = line.partition(':')
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ''
