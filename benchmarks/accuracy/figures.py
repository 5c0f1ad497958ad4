r"""The results as figures."""

import json
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import METRIC, by_loss, costs, interval
from benchmarks.accuracy.studies import COST, SENSITIVITY, STUDIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PRESET = 'recommended'
# Studies whose levels are shares, drawn as lines from the main result at zero.
SHARED = ('missing', 'noise', 'dropped')
COLORS = {model: f'C{i % 10}' for i, model in enumerate(MODELS)}
MARKERS = {model: 'os^vDPX'[i % 7] for i, model in enumerate(MODELS)}
LABEL = f'test {METRIC}'


def draw_all(rows: pd.DataFrame, folder: str) -> list[str]:
    r"""Writes all figures that there are rows for; returns their paths."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print("Figures require 'matplotlib': pip install matplotlib")
        return []
    final = rows[rows['final']]
    bars = max(3.4, 0.2 * final['model'].nunique() + 0.7)
    figures = {
        'main': _panels(final, _main, width=4.5, height=bars, legend=False),
        'losses': _losses(final),
        'cost': _panels(rows[rows['study'] == COST], partial(_cost, final=final)),
        'groups': _panels(final, _groups),
        'sensitivity': _sensitivity(rows),
    }
    for study in SHARED:
        found = rows[(rows['study'] == study) & rows['level'].ne('')]
        figures[study] = _panels(found, partial(_shares, final=final))
    written = []
    for name, figure in figures.items():
        if figure is not None:
            path = os.path.join(folder, f'{name}.png')
            figure.savefig(path, dpi=120)
            written.append(path)
    return written


def _panels(
    rows: pd.DataFrame,
    draw: Callable[['Axes', pd.DataFrame], None],
    width: float = 4.0,
    height: float = 3.4,
    legend: bool = True,
) -> 'Figure | None':
    r"""A panel for every dataset, and a legend for all."""
    if rows.empty:
        return None
    from matplotlib.figure import Figure

    groups = list(rows.groupby('dataset', sort=False))
    size = (width * len(groups) + 1.5, height)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(1, len(groups), squeeze=False)[0]
    handles: dict[str, Any] = {}
    for axis, (dataset, found) in zip(axes, groups, strict=True):
        draw(axis, found)
        axis.set_title(dataset)
        lines, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, lines, strict=True))
    if legend:
        figure.legend(
            [*handles.values()], [*handles], loc='outside right upper', fontsize=7
        )
    return figure


def _main(axis: 'Axes', rows: pd.DataFrame) -> None:
    values = rows.groupby('model', sort=False)[METRIC].agg(interval)[::-1]
    means, widths = np.nan_to_num(np.array(values.tolist())).T
    titles = [MODELS[model].title for model in values.index]
    axis.barh(titles, means, xerr=widths, color=[COLORS[x] for x in values.index])
    axis.set_xlabel(LABEL)


def _losses(final: pd.DataFrame) -> 'Figure | None':
    kept = [rows for _, rows in final.groupby('dataset', sort=False) if by_loss(rows)]
    return _panels(pd.concat(kept), _dumbbells, height=4.2) if kept else None


def _dumbbells(axis: 'Axes', rows: pd.DataFrame) -> None:
    r"""From the loss of a model to the softmax, and the preset beside them."""
    pairs = by_loss(rows)
    titles = [MODELS[model].title for model in pairs]
    own, softmax = np.array([[x.mean() for x in pair] for pair in pairs.values()]).T
    axis.hlines(titles, own, softmax, color='0.7', zorder=0)
    axis.scatter(own, titles, color='C7', label='own loss')
    axis.scatter(softmax, titles, color='C0', label='softmax over all items')
    preset = rows.loc[rows['model'] == PRESET, METRIC]
    if len(preset):
        title = MODELS[PRESET].title
        axis.axvline(preset.mean(), color='C3', linestyle='--', label=title)
    axis.invert_yaxis()
    axis.set_xlabel(LABEL)


def _cost(axis: 'Axes', rows: pd.DataFrame, final: pd.DataFrame) -> None:
    dataset = rows['dataset'].iloc[0]
    final = final[final['dataset'] == dataset]
    for model, seconds in costs(pd.concat([final, rows]))['Train s'].items():
        recall = final.loc[final['model'] == model, METRIC].mean()
        axis.plot(max(seconds, 1e-3), recall, **_style(model))
    axis.set(xscale='log', xlabel='seconds to train', ylabel=LABEL)


def _groups(axis: 'Axes', rows: pd.DataFrame) -> None:
    for model, found in rows.groupby('model', sort=False):
        groups = [json.loads(text)['activity'] for text in found['extra'] if text]
        if groups:
            means = [np.mean([g[x][1] for g in groups]) for x in groups[0]]
            axis.plot(list(groups[0]), means, **_style(model))
    axis.set(xlabel='training pairs of a user', ylabel=LABEL)


def _shares(axis: 'Axes', rows: pd.DataFrame, final: pd.DataFrame) -> None:
    final = final[final['dataset'] == rows['dataset'].iloc[0]].assign(level='0')
    for model, found in rows.groupby('model', sort=False):
        _draw_levels(
            axis,
            pd.concat([final[final['model'] == model], found]),
            float,
            _style(model, '-'),
        )
    axis.set(xlabel=STUDIES[rows['study'].iloc[0]].title, ylabel=LABEL)


def _sensitivity(rows: pd.DataFrame) -> 'Figure | None':
    study = rows[rows['study'] == 'sensitivity']
    if study.empty:
        return None
    from matplotlib.figure import Figure

    columns = -(-len(SENSITIVITY) // 2)
    figure = Figure(figsize=(4 * columns, 6), layout='constrained')
    axes = figure.subplots(2, columns, squeeze=False).flat
    for axis, name in zip(axes, SENSITIVITY, strict=False):
        found = study[study['variant'] == name]
        lines = {}
        for (dataset, model), points in found.groupby(['dataset', 'model'], sort=False):
            final = (
                rows['final'] & (rows['dataset'] == dataset) & (rows['model'] == model)
            )
            main = rows[final]
            value = MODELS[model].value(json.loads(main['config'].iloc[0]), name)
            points = pd.concat([main.assign(level=str(value)), points])
            lines[f'{dataset}, {MODELS[model].title}'] = points
        # Evenly spaced, since values range over orders of magnitude, or are zero.
        levels = sorted(
            {x for points in lines.values() for x in points['level']}, key=float
        )
        for label, points in lines.items():
            _draw_levels(axis, points, levels.index, {'marker': 'o', 'label': label})
        axis.set_xticks(range(len(levels)), levels)
        axis.set(xlabel=name, ylabel=LABEL)
    axes[0].legend(fontsize=7)
    return figure


def _draw_levels(
    axis: 'Axes',
    rows: pd.DataFrame,
    place: Callable[[str], float],
    style: dict[str, Any],
) -> None:
    r"""Recall by level, where each is placed."""
    values = rows.groupby('level')[METRIC].agg(interval)
    points = sorted((place(level), *value) for level, value in values.items())
    x, means, widths = np.nan_to_num(np.array(points)).T
    axis.errorbar(x, means, widths, **style)


def _style(model: str, line: str = ':') -> dict[str, Any]:
    return {
        'color': COLORS[model],
        'marker': MARKERS[model],
        'linestyle': line,
        'label': MODELS[model].title,
    }
