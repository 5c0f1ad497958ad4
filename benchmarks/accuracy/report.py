r"""Tables and figures of the results, without running anything.

python -m benchmarks.accuracy.report
"""

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import mean, stdev

import pandas as pd

from benchmarks.accuracy.figures import draw_all
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import (
    METRIC,
    by_model,
    costs,
    current,
    show,
    significance,
)
from benchmarks.accuracy.runs import CACHE, OUTPUT, load_runs, save_table
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


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table whose columns, but the first, are numbers; empty without rows."""
    # What pandas has needs one more package, 'tabulate'.
    cells = [list(header), *map(list, rows)]
    if len(cells) == 1:
        return ''
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ['-' * widths[0], *('-' * (w - 1) + ':' for w in widths[1:])])
    lines = (
        [
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(pairs)
        ]
        for pairs in (zip(line, widths, strict=True) for line in cells)
    )
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _extras(rows: pd.DataFrame, name: str) -> list:
    found = [json.loads(text) for text in rows['extra'] if text]
    return [extra[name] for extra in found if name in extra]


def main_table(rows: pd.DataFrame) -> str:
    r"""All models on one dataset."""
    columns = ['val_Recall@20', 'Recall@10', 'Recall@20', 'NDCG@10', 'NDCG@20']
    header = ['Model', 'Configs', 'Seeds', 'val Recall@20', *columns[1:]]
    lines = []
    for title, final, every in by_model(rows):
        seeds = str(len(final))
        if final['searched'].all() and MODELS[final['model'].iloc[0]].learned:
            seeds = 'search'
        values = [show(final[column]) for column in columns]
        lines.append([title, str(every['searched'].sum()), seeds, *values])
    return markdown(header, lines)


def significance_table(tests: pd.DataFrame) -> str:
    r"""The differences of models on one dataset."""
    lines = [
        [
            f'{MODELS[test.reference].title} - {MODELS[test.model].title}',
            ' + '.join(
                str(len(x.split())) for x in (test.reference_runs, test.model_runs)
            ),
            f'{test.difference:+.4f}',
            f'[{test.low:+.4f}, {test.high:+.4f}]',
            f'{test.p_holm:.2g}',
        ]
        for test in tests.itertuples()
    ]
    header = [METRIC, 'Seeds', 'Difference', '95 % interval', 'p (Holm)']
    return markdown(header, lines)


def cost_table(rows: pd.DataFrame) -> str:
    r"""What training and evaluation take, beside accuracy."""
    found = costs(rows)
    formats = ['.1f', '.0f', '.2f', '.2f', '.0f', ',.0f', '']
    lines = []
    for model, *values in found.itertuples():
        cells = [format(x, f) for x, f in zip(values, formats, strict=True)]
        lines.append([MODELS[model].title, *('-' if x == 'nan' else x for x in cells)])
    return markdown(['Model', *found.columns], lines)


def extra_table(rows: pd.DataFrame, name: str, words: str) -> str:
    r"""What rows hold beyond their columns, by model: numbers, or means with how
    many they are of.
    """
    header, lines = [], []
    for title, final, _ in by_model(rows):
        found = _extras(final, name)
        if found:
            first = found[0]
            grouped = isinstance(next(iter(first.values())), list)
            header = [
                words,
                *(f'{x} ({v[0]})' if grouped else x for x, v in first.items()),
            ]
            means = (
                mean(x[key][1] if grouped else x[key] for x in found) for key in first
            )
            lines.append([title, *(f'{value:.4f}' for value in means)])
    return markdown(header, lines)


def search_table(rows: pd.DataFrame) -> str:
    r"""All configurations that were tried."""
    lines = []
    for row in rows[rows['searched']].to_dict('records'):
        epochs = (row['best_epoch'], row['epochs_run'])
        value = row['error'] or f'{row["val_Recall@20"]:.4f}'
        title = f'{MODELS[row["model"]].title}: `{row["config"]}`'
        lines.append([title, value, *('' if x != x else f'{x:.0f}' for x in epochs)])
    return markdown(['Configuration', 'val Recall@20', 'Best epoch', 'Epochs'], lines)


def study_table(rows: pd.DataFrame, study: str) -> str:
    r"""A study on one dataset: variants in rows, models in columns."""
    found = rows[rows['study'] == study]
    models = [m for m in STUDIES[study].models if m in set(found['model'])]
    final = rows[rows['final']]
    first = [show(final.loc[final['model'] == m, METRIC]) for m in models]
    lines = [['unchanged', *first]] if models else []
    for variant, level, _ in STUDIES[study].changes:
        place = found[(found['variant'] == variant) & (found['level'] == level)]
        if len(place):
            cells = [_cell(place[place['model'] == m]) for m in models]
            lines.append([' '.join(filter(None, (variant, level))), *cells])
    return markdown([METRIC, *(MODELS[m].title for m in models)], lines)


def _cell(rows: pd.DataFrame) -> str:
    text = show(rows[METRIC])
    colds, draws = _extras(rows, 'cold'), _extras(rows, 'noisy')
    if colds:
        text += f'; ranked alone {mean(x["among cold"] for x in colds):.4f}'
        text += f'; {_one_ranking(colds)}'
        embedded = _extras(rows, 'cold by features')
        for weight in embedded[0] if embedded else ():
            found = [x[weight] for x in embedded]
            text += f'; by features, weight {weight}, {_one_ranking(found)}'
    if draws:
        quiet = mean(_extras(rows, 'quiet'))
        noisy, spread = mean(map(mean, draws)), mean(map(stdev, draws))
        text += f'; same weights {quiet:.4f} without, {noisy:.4f} with noise'
        text += f' (deviation of draws {spread:.4f})'
    return text


def _one_ranking(colds: list[dict[str, float]]) -> str:
    cold, warm, alone = (
        mean(x[name] for x in colds) for name in ('among all', 'warm', 'among warm')
    )
    return f'cold {cold:.4f}, warm {warm:.4f} of {alone:.4f}'


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
