r"""The tables of the report, in Markdown, each of the rows of one dataset."""

import json
from collections.abc import Iterable, Sequence
from statistics import mean, stdev

import pandas as pd

from benchmarks.accuracy.cold import WARM_KEPT, where_kept
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import METRIC, by_loss, by_model, costs, show
from benchmarks.accuracy.runs import KEPT
from benchmarks.accuracy.studies import STUDIES
from lgmrec_pyg.reporting import PUBLISHED


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
    header = ['Model', 'Configs', 'Seeds', 'Patience', 'val Recall@20', *columns[1:]]
    lines = []
    for title, final, every in by_model(rows):
        seeds = str(len(final))
        if final['searched'].all() and MODELS[final['model'].iloc[0]].learned:
            seeds = 'search'
        values = [show(final[column]) for column in columns]
        patience = final['patience'].iloc[0]
        words = [str(every['searched'].sum()), seeds, f'{patience or "-"}']
        lines.append([title, *words, *values])
    return markdown(header, lines)


def loss_table(rows: pd.DataFrame) -> str:
    r"""Models with their own loss, and with a softmax over all items."""
    lines = [
        [MODELS[model].title, show(own), show(softmax), f'{gain:+.1%}']
        for model, (own, softmax) in by_loss(rows).items()
        for gain in [softmax.mean() / own.mean() - 1]
    ]
    return markdown([METRIC, 'Own loss', 'Softmax', 'Gain'], lines)


def published_table(rows: pd.DataFrame) -> str:
    r"""What others report on the same split, beside what there is here."""
    dataset = rows['dataset'].iloc[0]
    here = {title: final for title, final, _ in by_model(rows)}
    lines = [
        [
            f'{x.model} ({x.source})',
            *(f'{x.metrics[name]:.4f}' for name in KEPT),
            *(show(here[x.model][name]) if x.model in here else '-' for name in KEPT),
        ]
        for x in PUBLISHED.get(dataset, ())
    ]
    names = [*KEPT, *(f'{name} here' for name in KEPT)]
    return markdown(['Published', *names], lines)


def significance_table(tests: pd.DataFrame) -> str:
    r"""The differences of models on one dataset."""
    lines = [
        [
            f'{MODELS[test.reference].title} - {MODELS[test.model].title}',
            test.metric,
            ' + '.join(
                str(len(x.split())) for x in (test.reference_runs, test.model_runs)
            ),
            f'{test.difference:+.4f}',
            f'[{test.low:+.4f}, {test.high:+.4f}]',
            f'{test.p_holm:.2g}',
        ]
        for test in tests.itertuples()
    ]
    header = ['Models', 'Metric', 'Seeds', 'Difference', '95 % interval', 'p (Holm)']
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
        embedded = _extras(rows, 'cold by weight')
        if embedded:
            text += f'; at a weight of 1, {_one_ranking([x["1.0"] for x in embedded])}'
            cold, test = (
                mean(where_kept(x, name) for x in embedded)
                for name in ('among all', 'test pairs')
            )
            text += f'; where warm keeps {WARM_KEPT:.0%}, cold {cold:.4f}'
            text += f', of its test pairs {test:.4f}'
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
