r"""Tables and figures of the results, without running anything.

python -m benchmarks.accuracy.report
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.accuracy import tables
from benchmarks.accuracy.cost import study_costs
from benchmarks.accuracy.figures import draw_all
from benchmarks.accuracy.paths import CACHE, CSV_NAME, OUTPUT, USERS
from benchmarks.accuracy.results import main_results
from benchmarks.accuracy.significance import Test, update_significance
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.studies import COST, STUDIES
from lgmrec_pyg.storage.atomic import atomic_write

INTRODUCTION = """\
# Accuracy

Made by `python -m benchmarks.accuracy.report` from `results.csv`. Test metrics of
full ranking without training pairs; `±` is the 95 % confidence interval over seeds
(Student's t). Every model had the configurations in `Configs` on one seed, of which
validation Recall@20 chose one; other seeds of that one are reported.
"""
PAIRED = """\
Differences of paired users, whose values are averaged over seeds; p-values of paired
t-tests, adjusted by Holm.
"""
ALONE = """\
Of the chosen configurations: seconds of an epoch and of ranking for the test users,
and memory on top of data and libraries, from a few epochs that ran alone; epochs
until early stopping, and the seconds that they amount to, from the seeds above.
"""


def write_report(store: Store, folder: str) -> list[str]:
    r"""Writes all tables and figures that there are rows for.

    Args:
        store (Store): The rows.
        folder (str): Where to write to.

    Returns:
        The paths of the files.
    """
    results = main_results(store)
    tests = update_significance(
        store, results, os.path.join(folder, 'significance.csv')
    )
    path = os.path.join(folder, 'README.md')
    with atomic_write(path) as partial, open(partial, 'w', encoding='utf-8') as file:
        file.write(_text(store, results, tests))
    return [path, *draw_all(store, results, folder)]


def print_main_tables(store: Store) -> None:
    r"""Prints the tables of the main study."""
    results = main_results(store)
    for dataset in tables.datasets_of(results):
        print(f'\n{dataset}\n\n{tables.main_table(results, dataset)}')


def _text(store: Store, results: tables.Results, tests: Sequence[Test]) -> str:
    datasets = tables.datasets_of(results)
    parts = [INTRODUCTION, _environment(store), '![Main study](main.png)\n']

    def add(title: str, table: Callable[[str], str], words: str = '') -> None:
        found = {dataset: table(dataset) for dataset in datasets}
        if any(found.values()):
            parts.append(f'## {title}\n')
            parts.extend(filter(None, [words]))
        parts.extend(f'### {name}\n\n{text}\n' for name, text in found.items() if text)

    add('Main study', lambda d: tables.main_table(results, d))
    if tests:
        add('Differences', lambda d: tables.significance_table(tests, d), PAIRED)
    add('Users by training pairs', lambda d: tables.group_table(results, d))
    costs = study_costs(store, results)
    add('Cost', lambda d: tables.cost_table(costs, results, d), ALONE)
    for study, content in STUDIES.items():
        if study == COST:
            continue
        add(content.title, lambda d, s=study: tables.study_table(store, results, s, d))  # type: ignore[misc]
    add('Search', lambda d: tables.search_table(results, d))
    return '\n'.join(parts)


def _environment(store: Store) -> str:
    names = ('machine', 'threads', 'torch', 'torch_geometric', 'lgmrec_pyg')
    counts = Counter(
        ', '.join(f'{name} {row[name]}' for name in names)
        for row in store.rows.values()
    )
    lines = [f'- {count} runs: {text}' for text, count in counts.most_common()]
    return '\n'.join(lines) + '\n'


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser('benchmarks.accuracy.report', description=__doc__)
    parser.add_argument('--output', metavar='DIR', default=OUTPUT)
    parser.add_argument('--cache', metavar='DIR', default=CACHE)
    args = parser.parse_args(argv)
    path = os.path.join(args.output, CSV_NAME)
    if not os.path.exists(path):
        parser.error(f"'--output' needs to hold '{CSV_NAME}' (got '{args.output}')")
    store = Store(path, os.path.join(args.cache, USERS))
    for written in write_report(store, args.output):
        print(f'Wrote {written}')
    print_main_tables(store)


if __name__ == '__main__':
    main()
