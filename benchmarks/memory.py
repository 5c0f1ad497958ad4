r"""Peak memory of training and evaluation, each side in a process of its own.

    python -m benchmarks.memory --quick
    python -m benchmarks.memory --setting clothing --data DIR

On CPU this is resident memory (Linux only): when the libraries are imported,
when model and data are ready, and at its peak during a few steps and an
evaluation. On CUDA it is the memory of tensors.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice

import torch

from benchmarks.report import Report, add_common_arguments
from benchmarks.settings import add_setting_arguments, make_workload
from benchmarks.sides import SIDES

MIB = 2**20
NUM_STEPS = 3


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        'benchmarks.memory',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common_arguments(parser)
    add_setting_arguments(parser, default=None)
    parser.add_argument('--sides', nargs='*', choices=list(SIDES), default=list(SIDES))
    parser.add_argument('--child', choices=list(SIDES), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    args.setting = args.setting or ('small' if args.quick else 'clothing')
    if args.child is not None:
        print(json.dumps(measure_side(args)))
        return
    arguments = sys.argv[1:] if argv is None else list(argv)
    with Report('memory', args) as report:
        peaks = {}
        for name in args.sides:
            row = run_child(name, [*arguments, '--setting', args.setting])
            report.add({'setting': args.setting, 'candidate': name, **row})
            peaks[name] = row
            print(name, ', '.join(f'{key} {value:.0f}' for key, value in row.items()))
        print_shares(peaks)


def run_child(name: str, arguments: Sequence[str]) -> dict[str, float]:
    r"""Measures one side in a fresh process."""
    command = [sys.executable, '-m', 'benchmarks.memory', *arguments, '--child', name]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = [root, os.environ.get('PYTHONPATH', '')]
    output = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))},
    )
    result: dict[str, float] = json.loads(output.stdout.splitlines()[-1])
    return result


def measure_side(args: argparse.Namespace) -> dict[str, float]:
    r"""Builds and runs a side in this process."""
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    imported = current_memory(device)
    work = make_workload(args)
    side = SIDES[args.child](work, args.batch_size)
    sampler = islice(iter(side.sampler), NUM_STEPS)
    del work  # A side keeps what it needs, perhaps in another type.
    reset_peak(device)
    ready = current_memory(device)
    side.model.train()
    for batch in sampler:
        side.step(*batch)
    train = peak_memory(device)
    reset_peak(device)
    side.evaluate()
    evaluate = peak_memory(device)
    return {
        'imported_mib': imported / MIB,
        'ready_mib': ready / MIB,
        'train_mib': train / MIB,
        'evaluate_mib': evaluate / MIB,
        'peak_mib': max(train, evaluate) / MIB,
        'peak_without_imports_mib': (max(train, evaluate) - imported) / MIB,
    }


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


def print_shares(peaks: dict[str, dict[str, float]]) -> None:
    r"""The peak of each side as a share of the reference's."""
    base = peaks.get('reference')
    if base is None:
        return
    for name, row in peaks.items():
        for key in ('peak_mib', 'peak_without_imports_mib'):
            print(f'{name}: {row[key] / base[key]:.2f} of the reference ({key})')


def _status(key: str) -> int:
    with open('/proc/self/status', encoding='ascii') as file:
        for line in file:
            if line.startswith(f'{key}:'):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"'/proc/self/status' has no entry '{key}'")


if __name__ == '__main__':
    main()
