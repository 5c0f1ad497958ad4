r"""What each model is worth, on equal terms.

    python -m benchmarks.accuracy --quick
    python -m benchmarks.accuracy --data DIR --jobs 2
    python -m benchmarks.accuracy --data DIR --datasets lfm2k --only main ablation
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

from benchmarks.accuracy.execute import Source
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.paths import CACHE, CSV_NAME, OUTPUT, USERS
from benchmarks.accuracy.plan import Options, plan
from benchmarks.accuracy.report import print_main_tables, write_report
from benchmarks.accuracy.schedule import run_all
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.studies import NAMES
from benchmarks.accuracy.task import MODALITIES, SYNTHETIC, load_graph
from benchmarks.graphs import data_folder
from lgmrec_pyg.datasets.synthetic import PRESETS

QUICK = {'seeds': 2, 'study_seeds': 1, 'search': 2, 'epochs': 3, 'preset': 'tiny'}
FULL = {'seeds': 5, 'study_seeds': 3, 'search': 4, 'epochs': 200, 'preset': 'small'}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        'benchmarks.accuracy',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', metavar='DIR', help='the folder of real data')
    add('--datasets', nargs='+', metavar='NAME', help='(default: all that are known)')
    add('--preset', choices=list(PRESETS), help='the size of synthetic data')
    add(
        '--only', nargs='+', choices=NAMES, default=NAMES, help='studies (default: all)'
    )
    add('--models', nargs='+', choices=list(MODELS), default=list(MODELS))
    add('--seeds', type=int, help='of the chosen configuration (default: 5)')
    add('--study-seeds', type=int, help='of a variant in a study (default: 3)')
    add('--search', type=int, help='configurations a model (default: 4)')
    add('--epochs', type=int, help='at most (default: 200)')
    add('--patience', type=int, default=20)
    add('--jobs', type=int, default=1, help='processes')
    add('--threads', type=int, default=1, help='threads of a process')
    add('--quick', action='store_true', help='about a minute, on tiny data')
    add('--from-scratch', action='store_true', help='run finished cells again')
    add('--dry-run', action='store_true', help='say what there is to run')
    add('--machine', help='replaces the detected machine name')
    add('--output', metavar='DIR', help='folder of the CSV and the report')
    add('--cache', metavar='DIR', default=CACHE, help='folder of other files')
    args = parser.parse_args(argv)
    for name, value in (QUICK if args.quick else FULL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    for name in ('seeds', 'study_seeds', 'search', 'epochs', 'patience', 'jobs'):
        _check_positive(parser, name, getattr(args, name))
    _check_positive(parser, 'threads', args.threads)
    if args.quick:
        args.cache = os.path.join(args.cache, 'quick')
        args.output = args.output or args.cache
    args.output = args.output or OUTPUT
    _choose_datasets(parser, args)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    options = Options(
        tuple(args.datasets),
        tuple(args.only),
        tuple(args.models),
        args.seeds,
        args.study_seeds,
        args.search,
        args.epochs,
        args.patience,
        args.quick,
    )
    path = os.path.join(args.output, CSV_NAME)
    store = Store(path, os.path.join(args.cache, USERS))
    if args.from_scratch:
        store.discard([key for key, row in store.rows.items() if _meant(row, options)])
    ready, waiting = plan(options, store)
    print(f'{len(store)} cells in {path}, {len(ready) + waiting} to run')
    if args.dry_run:
        print('\n'.join(map(str, ready)))
        return 0
    source = Source(args.data, os.path.join(args.cache, 'processed'), args.machine)
    for dataset in options.datasets:
        load_graph(dataset, source.data, source.processed_dir)
    try:
        errors = run_all(options, store, source, args.jobs, args.threads)
    except KeyboardInterrupt:
        print('Interrupted: the same command goes on from here', file=sys.stderr)
        return 130
    for path in write_report(store, args.output):
        print(f'Wrote {path}')
    print_main_tables(store)
    for error in errors:
        print(f'\nFailed: {error}', file=sys.stderr)
    return 1 if errors else 0


def _choose_datasets(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    args.data = None if args.quick and args.data is None else data_folder(args.data)
    if args.datasets is None:
        known = list(MODALITIES) if args.data is not None else []
        args.datasets = [
            name for name in known if os.path.isdir(os.path.join(args.data, name))
        ] or [SYNTHETIC + args.preset]
    for name in args.datasets:
        preset = name.removeprefix(SYNTHETIC)
        if name.startswith(SYNTHETIC) and preset in PRESETS:
            continue
        folder = os.path.join(args.data or '', name)
        if args.data is None or not os.path.isdir(folder):
            parser.error(
                f"'--datasets' needs to name folders in '--data', or "
                f'{", ".join(SYNTHETIC + x for x in PRESETS)} (got {name!r} with '
                f"'--data' {args.data!r})"
            )


def _check_positive(parser: argparse.ArgumentParser, name: str, value: int) -> None:
    if value <= 0:
        option = name.replace('_', '-')
        parser.error(f"'--{option}' needs to be a positive integer (got {value})")


def _meant(row: dict[str, str], options: Options) -> bool:
    return (
        row['dataset'] in options.datasets
        and row['study'] in options.studies
        and row['model'] in options.models
    )


if __name__ == '__main__':
    sys.exit(main())
