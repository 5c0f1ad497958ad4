r"""One CSV per suite, one row per measurement, and plots of the CSV."""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Mapping
from types import TracebackType

import torch

from benchmarks.environment import busy_warning, describe_environment
from benchmarks.harness import Call, Timing, compare
from benchmarks.plot import plot_csv
from benchmarks.profiling import peak_memory, write_trace

OUTPUT = 'benchmark-results'


def suite_parser(
    suite: str, doc: str | None, *, device: bool = True, compares: bool = True
) -> argparse.ArgumentParser:
    r"""A parser with the options that all suites share: also those of suites that run
    on either device, and of those that time candidates in turns.
    """
    parser = argparse.ArgumentParser(
        f'benchmarks.{suite}',
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--quick', action='store_true', help='about a minute')
    if device:
        default = 'cuda' if torch.cuda.is_available() else 'cpu'
        add('--device', choices=['cpu', 'cuda'], default=default)
    else:
        parser.set_defaults(device='cpu')
    add('--threads', type=int, help='CPU threads (default: all)')
    if compares:
        add('--budget', type=float, help='seconds per comparison')
        add('--profile', metavar='DIR', help='write torch.profiler traces')
    add('--machine', help='replaces the detected machine name')
    add('--output', metavar='DIR', default=OUTPUT)
    add('--no-plots', action='store_true')
    add('--seed', type=int, default=0)
    return parser


class Report:
    r"""Measures cases, prints them and writes the CSV of a suite.

    Used as a context manager; rows are on disk as soon as they are measured, in the
    place of those of an earlier run.
    """

    def __init__(self, suite: str, args: argparse.Namespace) -> None:
        if args.threads is not None:
            torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        self.suite = suite
        self.args = args
        self.device = torch.device(args.device)
        self.environment = describe_environment(self.device, args.machine)
        self.path = os.path.join(args.output, f'{suite}.csv')
        self.rows: list[dict[str, object]] = []
        self.columns: list[str] | None = None

    def __enter__(self) -> 'Report':
        os.makedirs(self.args.output, exist_ok=True)
        env = self.environment
        print(f'{env["machine"]}, {env["threads"]} threads, torch {env["torch"]}')
        warning = busy_warning() if self.device.type == 'cpu' else None
        if warning is not None:
            print(warning, file=sys.stderr)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.rows:
            print(f'Wrote {len(self.rows)} rows to {self.path}')
        if kind is None and self.rows and not self.args.no_plots:
            for path in plot_csv(self.path):
                print(f'Plotted {path}')

    def measure(
        self,
        case: Mapping[str, object],
        candidates: Mapping[str, Call],
        derive: Callable[[str, Timing], Mapping[str, object]] | None = None,
        memory: bool = True,
        min_rounds: int | None = None,
    ) -> dict[str, Timing]:
        r"""Compares candidates on one case and adds a row for each."""
        budget = self.args.budget
        if budget is None:
            budget = 0.3 if self.args.quick else 2.0
        rounds = min_rounds or (3 if self.args.quick else 7)
        timings = compare(candidates, self.device, budget, rounds)
        fastest = min(
            (t.median for t in timings.values() if t.samples), default=float('nan')
        )
        print(', '.join(f'{key} {value}' for key, value in case.items()))
        for name, timing in timings.items():
            row: dict[str, object] = {**case, 'candidate': name, **timing.as_row()}
            row['times_fastest'] = timing.median / fastest
            if timing.samples and memory:
                peak = peak_memory(candidates[name], self.device)
                row['peak_mib'] = peak / 2**20
            else:
                row['peak_mib'] = float('nan')
            row.update(derive(name, timing) if derive is not None else {})
            print(_line(name, timing, row), flush=True)
            self.add(row)
            if timing.samples and self.args.profile is not None:
                label = '_'.join(f'{k}={v}' for k, v in case.items())
                write_trace(
                    candidates[name],
                    self.device,
                    self.args.profile,
                    f'{self.suite}_{label}_{name}',
                )
        return timings

    def add(self, row: Mapping[str, object]) -> None:
        r"""Writes one row, followed by the columns of the environment."""
        full = {**row, **self.environment}
        if self.columns is None:
            self.columns = list(full)
        self.rows.append(full)
        first = len(self.rows) == 1
        with open(self.path, 'w' if first else 'a', newline='', encoding='utf-8') as f:
            writer = csv.DictWriter(f, self.columns)
            if first:
                writer.writeheader()
            writer.writerow({key: _cell(value) for key, value in full.items()})


def _cell(value: object) -> object:
    if isinstance(value, float):
        return '' if value != value else f'{value:.5g}'
    return value


def _line(name: str, timing: Timing, row: Mapping[str, object]) -> str:
    if timing.error:
        return f'  {name:20s} {timing.error}'
    spread = f'[{timing.quantile(0.2):.3f}, {timing.quantile(0.8):.3f}]'
    out = f'  {name:20s} {timing.median:10.3f} ms  {spread:22s}'
    out += f' x{row["times_fastest"]:<6.2f}'
    peak = float(str(row['peak_mib']))
    return out if peak != peak else f'{out} {peak:8.1f} MiB'
