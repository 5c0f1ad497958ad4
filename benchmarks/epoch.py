r"""A whole epoch: sampling, training, evaluation of validation and test.

    python -m benchmarks.epoch --quick
    python -m benchmarks.epoch --setting baby --data DIR

The total is the sum of the medians of the two phases.
"""

import argparse
from collections.abc import Callable, Sequence

from benchmarks.harness import Timing
from benchmarks.report import Report, suite_parser
from benchmarks.settings import make_workload, parse_setting
from benchmarks.sides import DEFAULT_SIDES, SIDES, Side
from benchmarks.train_step import print_ratios

PHASES: dict[str, Callable[[Side], object]] = {
    'train': lambda side: side.train_epoch(),
    'evaluate': lambda side: side.evaluate(),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('epoch', __doc__)
    parser.add_argument(
        '--sides', nargs='*', choices=list(SIDES), default=DEFAULT_SIDES
    )
    parser.add_argument('--rounds', type=int, default=3, help='epochs of each side')
    args = parse_setting(parser, argv, default='baby')
    with Report('epoch', args) as report:
        run(report, args)


def run(report: Report, args: argparse.Namespace) -> None:
    work = make_workload(args)
    sides = {name: SIDES[name](work, args.batch_size) for name in args.sides}
    case = {**work.case, 'batch': args.batch_size}
    phases: list[dict[str, Timing]] = []
    for phase, act in PHASES.items():
        calls = {
            name: (lambda act=act, side=side: act(side)) for name, side in sides.items()
        }
        phases.append(
            report.measure(
                {**case, 'phase': phase}, calls, memory=False, min_rounds=args.rounds
            )
        )
        print_ratios({name: t.median for name, t in phases[-1].items()})
    totals = {name: sum(phase[name].median for phase in phases) for name in sides}
    for name, total in totals.items():
        report.add(
            {
                **case,
                'phase': 'total',
                'candidate': name,
                'median_ms': total,
                'times_fastest': total / min(totals.values()),
            }
        )
    print('Whole epoch')
    print_ratios(totals)


if __name__ == '__main__':
    main()
