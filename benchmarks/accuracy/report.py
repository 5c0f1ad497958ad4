r"""Tables and figures of the results, without running anything.

python -m benchmarks.accuracy.report
"""

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from benchmarks.accuracy.figures import draw_all
from benchmarks.accuracy.results import METRIC, current, significance
from benchmarks.accuracy.runs import CACHE, OUTPUT, load_runs, save_table
from benchmarks.accuracy.studies import COST, STUDIES
from benchmarks.accuracy.tables import (
    cost_table,
    extra_table,
    loss_table,
    main_table,
    published_table,
    search_table,
    significance_table,
    study_table,
)
from lgmrec_pyg.storage.atomic import atomic_write

INTRODUCTION = """\
# Accuracy

Made by `python -m benchmarks.accuracy.report` from `results.csv`. Test metrics of
full ranking without training pairs; `±` is the 95 % confidence interval over seeds
(Student's t). Every model had the configurations in `Configs` on one seed, of which
validation Recall@20 chose one; other seeds of that one are reported.
"""
LOSSES = """\
Every model with the loss it was published with, and with a softmax over the cosines of
all items, both searched with the same budget.

![Losses](losses.png)
"""
REPORTED = """\
What others report on the same split, beside the means above. They choose the best
epoch by other rules, or on the test pairs, and may use modalities that are not here.
"""
PAIRED = """\
Differences of paired users, whose values are averaged over seeds; p-values of paired
t-tests, adjusted by Holm.
"""
FOUND = 'The share of test pairs that are found.\n'
PERMUTED = 'With the features of one modality dealt to other items.\n'
ALONE = """\
Of the chosen configurations: seconds of an epoch and of ranking for the test users,
and memory on top of data and libraries, from a few epochs that ran alone; epochs
until early stopping, and the seconds that they amount to, from the seeds above.
"""
# The headings of what rows hold beyond their columns, with the first column.
EXTRAS = {
    'activity': ('Users by training pairs', 'Training pairs (users)', ''),
    'popularity': ('Items by training pairs', 'Training pairs (test pairs)', FOUND),
    'coverage': ('Coverage', 'Model', ''),
    'permuted': ('Permuted modalities', METRIC, PERMUTED),
}


def write_report(runs: str, folder: str) -> list[str]:
    r"""Writes all tables and figures that there are runs for."""
    csv, readme, paired = (
        os.path.join(folder, name)
        for name in ('results.csv', 'README.md', 'significance.csv')
    )
    rows = current(load_runs(runs, csv))
    save_table(rows.drop(columns=['searched', 'final']), csv)
    tests = significance(rows, runs, paired)
    with atomic_write(readme) as new, open(new, 'w', encoding='utf-8') as file:
        file.write(_text(rows, tests))
    for dataset, found in rows.groupby('dataset', sort=False):
        print(f'\n{dataset}\n\n{main_table(found)}')
    return [csv, readme, paired, *draw_all(rows, folder)]


def _text(rows: pd.DataFrame, tests: pd.DataFrame) -> str:
    parts = [INTRODUCTION, _environment(rows), '![Main study](main.png)\n']

    def add(
        title: str,
        table: Callable[[pd.DataFrame], str],
        words: str = '',
        frame: pd.DataFrame = rows,
    ) -> None:
        found = {x: table(part) for x, part in frame.groupby('dataset', sort=False)}
        found = {dataset: text for dataset, text in found.items() if text}
        if found:
            parts.extend(filter(None, [f'## {title}\n', words]))
        parts.extend(f'### {name}\n\n{text}\n' for name, text in found.items())

    add('Main study', main_table)
    add('Losses', loss_table, LOSSES)
    add('Published numbers', published_table, REPORTED)
    add('Differences', significance_table, PAIRED, tests)
    for name, (title, column, words) in EXTRAS.items():
        add(title, partial(extra_table, name=name, words=column), words)
    add('Cost', cost_table, ALONE)
    for name, study in STUDIES.items():
        if name != COST:
            add(study.title, partial(study_table, study=name))
    add('Search', search_table)
    return '\n'.join(parts)


def _environment(rows: pd.DataFrame) -> str:
    names = ['machine', 'threads', 'torch', 'torch_geometric', 'lgmrec_pyg']
    lines = [
        f'- {count} runs: ' + ', '.join(map(' '.join, zip(names, values, strict=True)))
        for values, count in rows[names].value_counts().items()
    ]
    return '\n'.join(lines) + '\n'


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser('benchmarks.accuracy.report', description=__doc__)
    parser.add_argument('--output', metavar='DIR', default=OUTPUT)
    parser.add_argument('--cache', metavar='DIR', default=CACHE)
    args = parser.parse_args(argv)
    if not os.path.exists(os.path.join(args.output, 'results.csv')):
        parser.error(f"'--output' needs to hold 'results.csv' (got '{args.output}')")
    for path in write_report(os.path.join(args.cache, 'runs'), args.output):
        print(f'Wrote {path}')


if __name__ == '__main__':
    main()
