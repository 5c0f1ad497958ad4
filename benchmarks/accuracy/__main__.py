r"""What each model is worth, on equal terms.

    python -m benchmarks.accuracy --quick
    python -m benchmarks.accuracy --data DIR --jobs 2
    python -m benchmarks.accuracy --data DIR --datasets lfm2k --only main ablation
    python -m benchmarks.accuracy --datasets path/to/NAME --output DIR
    python -m benchmarks.accuracy.report

Every model gets the same number of configurations, of which validation Recall@20
chooses one; that one is run with several other seeds. All items are ranked, except
training pairs. Finished runs are skipped when the command is given again.

DIR holds folders such as 'lfm2k' with 'lfm2k.inter' and '<modality>_feat.npy', and
the variable LGMREC_DATA names it too. Without it, data are synthetic.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from typing import Any

import torch

from benchmarks.accuracy.execute import run_all
from benchmarks.accuracy.models import MODELS, RIVALS
from benchmarks.accuracy.report import write_report
from benchmarks.accuracy.runs import CACHE, OUTPUT, load_runs
from benchmarks.accuracy.studies import (
    MAIN,
    STUDIES,
    Options,
    following_runs,
    search_runs,
)
from benchmarks.accuracy.task import MODALITIES, SYNTHETIC, Source, digest
from benchmarks.graphs import data_folder
from lgmrec_pyg.datasets.synthetic import PRESETS

CORE = [
    x for x in MODELS if MODELS[x].title.partition(',')[0] not in RIVALS or x == 'vbpr'
]
QUICK: dict[str, Any] = {
    'models': CORE,
    'seeds': 2,
    'study_seeds': 1,
    'search': 2,
    'epochs': 3,
    'preset': 'tiny',
}
FULL: dict[str, Any] = {
    'models': list(MODELS),
    'seeds': 5,
    'study_seeds': 3,
    'search': 4,
    'epochs': 200,
    'preset': 'small',
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        'benchmarks.accuracy',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, names = parser.add_argument, [MAIN, *STUDIES]
    add('--data', metavar='DIR', help='the folder of real data')
    add(
        '--datasets',
        nargs='+',
        metavar='NAME',
        help='folders, by path or by name in DIR (default: all that are known)',
    )
    add('--preset', choices=list(PRESETS), help='the size of synthetic data')
    add(
        '--only', nargs='+', choices=names, default=names, help='studies (default: all)'
    )
    add('--models', nargs='+', choices=list(MODELS), help='(default: all)')
    add('--seeds', type=_positive, help='of the chosen configuration (default: 5)')
    add('--study-seeds', type=_positive, help='of a variant in a study (default: 3)')
    add('--search', type=_positive, help='configurations a model (default: 4)')
    add('--epochs', type=_positive, help='at most (default: 200)')
    add('--patience', type=_positive, default=20)
    add('--jobs', type=_positive, default=1, help='processes')
    add('--threads', type=_positive, default=1, help='threads of a process')
    add('--quick', action='store_true', help='about a minute, on tiny data')
    add('--from-scratch', action='store_true', help='run what is finished again')
    add('--dry-run', action='store_true', help='say what there is to run')
    add('--machine', help='replaces the detected machine name')
    add('--output', metavar='DIR', help='folder of tables and figures')
    add('--cache', metavar='DIR', default=CACHE, help='folder of runs and data')
    args = parser.parse_args(argv)
    for name, value in (QUICK if args.quick else FULL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.quick:
        args.cache = os.path.join(args.cache, 'quick')
        args.output = args.output or args.cache
    args.output = args.output or OUTPUT
    data = None if args.quick and args.data is None else data_folder(args.data)
    args.folders = _folders(parser, args.datasets, data, args.preset)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    folders = {name: path for name, path in args.folders.items() if path is not None}
    source = Source(folders, os.path.join(args.cache, 'processed'))
    args.datasets = {name: digest(source.load(name)) for name in args.folders}
    options = Options(*(getattr(args, name) for name in Options._fields))
    folder = os.path.join(args.cache, 'runs')
    csv = os.path.join(args.output, 'results.csv')
    finished = load_runs(folder, csv)
    done = set() if args.from_scratch else set(finished['key'])
    print(f'{len(finished)} runs are finished')
    failures = []
    try:
        with _pool(args.jobs, args.threads) as pool:
            for plan in (search_runs, following_runs):
                runs = plan(options, load_runs(folder, csv))
                runs = [run for run in runs if run.key not in done]
                done |= {run.key for run in runs}
                print(f'{len(runs)} to run', *(runs if args.dry_run else ()), sep='\n')
                if not args.dry_run:
                    failures += run_all(runs, source, folder, args.machine, pool)
    except KeyboardInterrupt:
        print('Interrupted: the same command goes on from here', file=sys.stderr)
        return 130
    if not args.dry_run:
        for path in write_report(folder, args.output):
            print(f'Wrote {path}')
    for failure in failures:
        print(f'Failed: {failure}', file=sys.stderr)
    return 1 if failures else 0


def _pool(jobs: int, threads: int) -> AbstractContextManager[Executor | None]:
    torch.set_num_threads(threads)
    if jobs == 1:
        return nullcontext()
    # Read when a worker imports PyTorch.
    os.environ['OMP_NUM_THREADS'] = str(threads)
    context = get_context('spawn')
    return ProcessPoolExecutor(jobs, context, torch.set_num_threads, (threads,))


def _folders(
    parser: argparse.ArgumentParser,
    names: list[str] | None,
    data: str | None,
    preset: str,
) -> dict[str, str | None]:
    r"""The folder of every dataset, none for those that are generated."""
    if names is None:
        known = [x for x in MODALITIES if os.path.isdir(os.path.join(data or '', x))]
        names = known if data is not None and known else [SYNTHETIC + preset]
    out: dict[str, str | None] = {}
    for name in names:
        paths = [os.path.join(data or '', name), name]
        found = [path for path in paths if os.path.isdir(path)]
        if found:
            out[os.path.basename(os.path.normpath(name))] = found[0]
        elif name in [SYNTHETIC + x for x in PRESETS]:
            out[name] = None
        else:
            parser.error(
                f"'--datasets' needs to name folders, by path or in '--data', or "
                f'{", ".join(SYNTHETIC + x for x in PRESETS)} (got {name!r} with '
                f"'--data' {data!r})"
            )
    return out


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f'needs to be a positive integer (got {text!r})'
        )
    return int(text)


if __name__ == '__main__':
    sys.exit(main())
