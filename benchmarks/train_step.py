r"""One training step: forward, loss, backward and Adam.

    python -m benchmarks.train_step --quick
    python -m benchmarks.train_step --setting baby --data DIR
    python -m benchmarks.train_step --setting clothing --device cuda

A real graph comes from ``--data`` (or the variable LGMREC_DATA) and is generated
in the size of the setting otherwise; features are always generated.
"""

from collections.abc import Sequence

from benchmarks.harness import Call
from benchmarks.report import Report, suite_parser
from benchmarks.settings import make_workload, parse_setting
from benchmarks.sides import DEFAULT_SIDES, SIDES
from lgmrec_pyg.sampling import TripletSampler


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('train_step', __doc__)
    parser.add_argument(
        '--sides', nargs='*', choices=list(SIDES), default=DEFAULT_SIDES
    )
    args = parse_setting(parser, argv, default='baby')
    with Report('train_step', args) as report:
        work = make_workload(args)
        sampler = TripletSampler(
            work.train, work.num_users, work.num_items, args.batch_size
        )
        batch = next(iter(sampler))
        calls: dict[str, Call] = {}
        for name in args.sides:
            side = SIDES[name](work, args.batch_size)
            side.model.train()
            calls[name] = lambda side=side: side.step(*batch)  # type: ignore[misc]
        model = {f'model.{key}': value for key, value in work.model.items()}
        case = {**work.case, 'batch': args.batch_size, **model}
        timings = report.measure(case, calls)
        print_ratios({name: t.median for name, t in timings.items()})


def print_ratios(medians: dict[str, float]) -> None:
    r"""How many times faster than the reference each side is."""
    base = medians.get('reference')
    for name, median in medians.items():
        if base is not None and name != 'reference':
            print(f'{name}: {base / median:.1f} times as fast as the reference')


if __name__ == '__main__':
    main()
