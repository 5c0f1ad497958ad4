r"""The results as Markdown tables."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

from benchmarks.accuracy.cost import Cost
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import (
    Place,
    Result,
    column_interval,
    extra,
    study_rows,
)
from benchmarks.accuracy.significance import Test
from benchmarks.accuracy.statistics import Interval
from benchmarks.accuracy.store import Row, Store
from benchmarks.accuracy.studies import STUDIES

Results = dict[Place, Result]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table whose columns, but the first, are numbers."""
    cells = [list(header), *map(list, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = [
        '-' * width if i == 0 else '-' * (width - 1) + ':'
        for i, width in enumerate(widths)
    ]
    lines = [
        ' | '.join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [cells[0], rule, *cells[1:]]
    ]
    return '\n'.join(f'| {line} |' for line in lines)


def show(value: Interval) -> str:
    r"""A mean, with its half width if there is one."""
    if value.mean != value.mean:
        return '-'
    if value.half_width != value.half_width:
        return f'{value.mean:.4f}'
    return f'{value.mean:.4f} ± {value.half_width:.4f}'


def datasets_of(results: Results) -> list[str]:
    r"""The datasets, in the order of their first rows."""
    return list(dict.fromkeys(dataset for dataset, _ in results))


def main_table(results: Results, dataset: str) -> str:
    r"""All models on one dataset."""
    metrics = ('Recall@10', 'Recall@20', 'NDCG@10', 'NDCG@20')
    header = ['Model', 'Configs', 'Seeds', 'val Recall@20', *metrics]
    rows = []
    for model, result in _models(results, dataset):
        seeds = str(len(result.rows)) if result.final else 'search'
        columns = ('val_Recall@20', *metrics)
        values = [show(result.interval(column)) for column in columns]
        title = MODELS[model].title
        rows.append([title, str(len(result.searched)), seeds, *values])
    return markdown(header, rows)


def significance_table(tests: Iterable[Test], dataset: str) -> str:
    r"""The differences of models on one dataset."""
    rows = [
        [
            f'{MODELS[test["reference"]].title} - {MODELS[test["model"]].title}',
            f'{float(test["difference"]):+.4f}',
            f'[{float(test["low"]):+.4f}, {float(test["high"]):+.4f}]',
            f'{float(test["p_holm"]):.2g}',
        ]
        for test in tests
        if test['dataset'] == dataset
        and {test['reference'], test['model']} <= {*MODELS}
    ]
    return markdown(['Recall@20', 'Difference', '95 % interval', 'p (Holm)'], rows)


def cost_table(costs: dict[Place, Cost], results: Results, dataset: str) -> str:
    r"""What training and evaluation take, beside accuracy."""
    header = ['Model', 'Train s', 'Epochs', 's / epoch', 'Eval s', 'MiB', 'Parameters']
    rows = []
    for model, result in _models(results, dataset):
        if (dataset, model) not in costs:
            continue
        cost = costs[dataset, model]
        numbers = [
            f'{cost.train_seconds:.1f}',
            f'{cost.epochs:.0f}',
            f'{cost.epoch_seconds:.2f}',
            f'{cost.evaluate_seconds:.2f}',
            f'{cost.peak_mib:.0f}',
            f'{cost.parameters:,.0f}',
        ]
        cells = ['-' if x == 'nan' else x for x in numbers]
        rows.append([MODELS[model].title, *cells, show(result.interval('Recall@20'))])
    return markdown([*header, 'Recall@20'], rows) if rows else ''


def group_table(results: Results, dataset: str) -> str:
    r"""Recall by the number of training pairs of users."""
    rows, names = [], []
    for model, result in _models(results, dataset):
        groups = [extra(row)['groups'] for row in result.rows if row['extra']]
        if groups:
            names = [f'{name} ({count})' for name, (count, _) in groups[0].items()]
            means = [mean(group[name][1] for group in groups) for name in groups[0]]
            rows.append([MODELS[model].title, *(f'{value:.4f}' for value in means)])
    return markdown(['Training pairs (users)', *names], rows) if rows else ''


def search_table(results: Results, dataset: str) -> str:
    r"""All configurations that were tried."""
    rows = [
        [
            f'{MODELS[model].title}: `{row["config"]}`',
            row['error'] or f'{float(row["val_Recall@20"]):.4f}',
            row['best_epoch'],
            row['epochs_run'],
        ]
        for model, result in _models(results, dataset)
        for row in result.searched
    ]
    return markdown(['Configuration', 'val Recall@20', 'Best epoch', 'Epochs'], rows)


def study_table(store: Store, results: Results, study: str, dataset: str) -> str:
    r"""A study on one dataset: variants in rows, models in columns."""
    found = study_rows(store, study)
    models = [m for m in STUDIES[study].models if (dataset, m) in found]
    if not models:
        return ''
    first = [
        show(results[dataset, m].interval('Recall@20'))
        if (dataset, m) in results
        else '-'
        for m in models
    ]
    rows = [['unchanged', *first]]
    for change in STUDIES[study].changes:
        place = change.variant, change.level
        cells = [_cell(found[dataset, model].get(place, [])) for model in models]
        if any(cell != '-' for cell in cells):
            rows.append([' '.join(filter(None, place)), *cells])
    return markdown(['Recall@20', *(MODELS[m].title for m in models)], rows)


def _cell(rows: list[Row]) -> str:
    text = show(column_interval(rows, 'Recall@20'))
    more = [extra(row) for row in rows]
    colds = [x['cold'] for x in more if 'cold' in x]
    if colds:
        everywhere, alone = (
            mean(cold[name] for cold in colds) for name in ('among all', 'among cold')
        )
        text += f'; of cold items {everywhere:.4f}, ranked alone {alone:.4f}'
    draws = [x['noisy'] for x in more if 'noisy' in x]
    if draws:
        quiet = mean(x['quiet'] for x in more)
        noisy, spread = mean(map(mean, draws)), mean(map(stdev, draws))
        text += f'; same weights {quiet:.4f} without, {noisy:.4f} with noise'
        text += f' (deviation of draws {spread:.4f})'
    return text


def _models(results: Results, dataset: str) -> list[tuple[str, Result]]:
    return [
        (model, result)
        for (name, model), result in results.items()
        if name == dataset and result.rows
    ]
