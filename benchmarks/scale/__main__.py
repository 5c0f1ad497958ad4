r"""How the cost of training grows with the number of interactions.

    python -m benchmarks.scale --quick
    python -m benchmarks.scale --edges 1e5 1e6 1e7 --processes 1 2 --json scale.json

Graphs are generated: ten edges a user, fifty an item, features of 384 and 128 columns.
Every measurement runs in processes of its own, where PyTorch asks for huge pages for
large tensors, unless '--no-huge-pages' is given. An epoch is its shuffling and as many
steps as it has, at the median of those that were run; memory is resident (Linux only);
bytes are those of the collectives of one step.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.report import Report, suite_parser

MODES = {
    'full': 'every step propagates over the whole graph',
    'large-batch': 'so do fewer steps of more triplets',
    'sampled': 'every step propagates over sampled neighbors',
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('scale', __doc__, compares=False)
    parser.add_argument('--edges', type=float, nargs='+')
    parser.add_argument('--processes', type=int, nargs='+', default=[1])
    parser.add_argument('--modes', nargs='+', choices=list(MODES), default=list(MODES))
    parser.add_argument('--batch-size', type=int, nargs='+', default=[2048])
    parser.add_argument('--large-batch', type=int, default=65536)
    parser.add_argument('--num-neighbors', type=int, nargs='+', default=[10, 5, 2])
    parser.add_argument('--shard', choices=['batch', 'columns', 'rows'])
    parser.add_argument('--recommended', action='store_true', help='the preset')
    parser.add_argument(
        '--budget', type=float, help='seconds of steps (default: 20; quick: 1)'
    )
    parser.add_argument('--min-steps', type=int, default=3)
    parser.add_argument(
        '--huge-pages', action=argparse.BooleanOptionalAction, default=True
    )
    parser.add_argument('--json', metavar='FILE', help='writes the rows as JSON, too')
    args = parser.parse_args(argv)
    sizes = [int(x) for x in args.edges or ([1e4] if args.quick else [1e5, 1e6, 1e7])]
    with Report('scale', args) as report:
        for edges in sizes:
            for count in args.processes:
                for mode in args.modes:
                    for size in batch_sizes(args, edges, mode):
                        report.add(measure(args, edges, count, mode, size))
    if args.json is not None:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump(report.rows, file, indent=1)


def batch_sizes(args: argparse.Namespace, edges: int, mode: str) -> list[int]:
    if mode == 'large-batch':
        return [min(args.large_batch, edges // 8)]
    return list(args.batch_size)


def measure(
    args: argparse.Namespace, edges: int, count: int, mode: str, batch_size: int
) -> dict[str, Any]:
    r"""Runs one measurement, and returns its row."""
    # Only parts of a graph are small enough for every process to have a whole table.
    default = 'batch' if mode == 'sampled' else 'columns'
    shard = 'none' if count == 1 else args.shard or default
    options = ('device', 'threads', 'seed', 'recommended', 'min_steps', 'num_neighbors')
    budget = args.budget
    if budget is None:
        budget = 1.0 if args.quick else 20.0
    task = {
        **{name: getattr(args, name) for name in options},
        'edges': edges,
        'processes': count,
        'shard': shard,
        'mode': mode,
        'batch_size': batch_size,
        'huge_pages': args.huge_pages,
        'budget': budget,
    }
    keys = ('edges', 'processes', 'shard', 'batch_size', 'huge_pages')
    row: dict[str, Any] = {**{key: task[key] for key in keys}, 'candidate': mode}
    results, row['error'] = _run(task)
    for key in ('step_ms', 'epoch_s', 'sent_mib', 'imported_mib', 'peak_mib'):
        row[key] = max((x[key] for x in results), default=float('nan'))
    row['us_per_edge'] = 1e6 * row['epoch_s'] / edges
    for key in ('steps', 'epoch_steps'):
        row[key] = min((x[key] for x in results), default=0)
    numbers = [f'{k} {row[k]:.4g}' for k in ('step_ms', 'epoch_s', 'us_per_edge')]
    numbers += [f'{k} {row[k]:.4g}' for k in ('sent_mib', 'peak_mib')]
    case = f'{edges:.0e} edges, {count} x {mode}, batch {batch_size}'
    print(f'{case}: {row["error"] or ", ".join(numbers)}', flush=True)
    return row


def _run(task: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port),
        'WORLD_SIZE': str(task['processes']),
        'THP_MEM_ALLOC_ENABLE': str(int(task['huge_pages'])),
    }
    command = [sys.executable, '-m', 'benchmarks.scale.worker', json.dumps(task)]
    workers = [
        subprocess.Popen(
            command,
            env={**environment, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(task['processes'])
    ]
    ends = [worker.communicate() for worker in workers]
    for worker, (_, error) in zip(workers, ends, strict=True):
        if worker.returncode != 0:
            return [], (error.strip().splitlines() or ['killed'])[-1][:200]
    return [json.loads(output.splitlines()[-1]) for output, _ in ends], ''


if __name__ == '__main__':
    main()
