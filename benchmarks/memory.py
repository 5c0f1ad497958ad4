r"""Peak memory of training and evaluation, each side in a process of its own.

    python -m benchmarks.memory --quick
    python -m benchmarks.memory --setting clothing --data DIR

On CPU this is resident memory (Linux only): when the libraries are imported,
when model and data are ready, and at its peak during a few steps and an
evaluation. On CUDA it is the memory of tensors.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

import torch

from benchmarks.report import Report, suite_parser
from benchmarks.resident import MIB, current_memory, peak_memory, reset_peak
from benchmarks.settings import make_workload, parse_setting
from benchmarks.sides import DEFAULT_SIDES, SIDES

NUM_STEPS = 3


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('memory', __doc__, compares=False)
    parser.add_argument(
        '--sides', nargs='*', choices=list(SIDES), default=DEFAULT_SIDES
    )
    args = parse_setting(parser, argv, default='clothing')
    with Report('memory', args) as report:
        peaks = {}
        for name in args.sides:
            # A process of its own: nothing is left of the side before.
            with ProcessPoolExecutor(1, get_context('spawn')) as pool:
                case, row = pool.submit(measure_side, name, args).result()
            report.add({**case, 'candidate': name, **row})
            peaks[name] = row
            print(name, ', '.join(f'{key} {value:.0f}' for key, value in row.items()))
        print_shares(peaks)


def measure_side(
    name: str, args: argparse.Namespace
) -> tuple[dict[str, object], dict[str, float]]:
    r"""Builds and runs a side in this process: what it was run on, and what it took."""
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    imported = current_memory(device)
    work = make_workload(args)
    case, side = work.case, SIDES[name](work, args.batch_size)
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
    peak = max(train, peak_memory(device))
    sizes = {
        'imported_mib': imported,
        'ready_mib': ready,
        'train_mib': train,
        'evaluate_mib': peak_memory(device),
        'peak_mib': peak,
        'peak_without_imports_mib': peak - imported,
    }
    return case, {name: size / MIB for name, size in sizes.items()}


def print_shares(peaks: dict[str, dict[str, float]]) -> None:
    r"""The peak of each side as a share of the reference's."""
    base = peaks.get('reference')
    if base is None:
        return
    for name, row in peaks.items():
        for key in ('peak_mib', 'peak_without_imports_mib'):
            print(f'{name}: {row[key] / base[key]:.2f} of the reference ({key})')


if __name__ == '__main__':
    main()
