r"""The results as figures."""

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.cost import Cost, study_costs
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import (
    Place,
    column_interval,
    extra,
    study_rows,
)
from benchmarks.accuracy.statistics import Interval
from benchmarks.accuracy.store import Row, Store
from benchmarks.accuracy.studies import SENSITIVITY, STUDIES
from benchmarks.accuracy.tables import Results, datasets_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RECALL = 'Recall@20'
# Studies whose levels are shares, drawn as lines from the main result at zero.
SHARED = ('missing', 'noise', 'dropped')
COLORS = {model: f'C{i % 10}' for i, model in enumerate(MODELS)}
MARKERS = {model: 'os^vD'[i % 5] for i, model in enumerate(MODELS)}


def draw_all(store: Store, results: Results, folder: str) -> list[str]:
    r"""Writes all figures that there are rows for; returns their paths."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print("Figures require 'matplotlib': pip install matplotlib")
        return []
    figures = {
        'main': _main(results),
        'cost': _cost(study_costs(store, results), results),
        'groups': _groups(results),
        'sensitivity': _sensitivity(store, results),
        **{study: _shares(store, results, study) for study in SHARED},
    }
    written = []
    for name, figure in figures.items():
        if figure is not None:
            path = os.path.join(folder, f'{name}.png')
            figure.savefig(path, dpi=120)
            written.append(path)
    return written


def _main(results: Results) -> 'Figure | None':
    figure, panels = _panels(results, width=4.5)
    for dataset, axis in panels:
        models = [m for d, m in results if d == dataset and results[d, m].rows][::-1]
        values = [results[dataset, m].interval(RECALL) for m in models]
        axis.barh(
            [MODELS[m].title for m in models],
            [value.mean for value in values],
            xerr=[np.nan_to_num(value.half_width) for value in values],
            color=[COLORS[m] for m in models],
        )
        axis.set(title=dataset, xlabel=f'test {RECALL}')
    return figure


def _cost(costs: dict[Place, Cost], results: Results) -> 'Figure | None':
    figure, panels = _panels({place: results[place] for place in costs})
    for dataset, axis in panels:
        for (name, model), cost in costs.items():
            if name == dataset:
                x = max(cost.train_seconds, 1e-3)
                axis.plot(x, results[name, model].mean(RECALL), **_style(model))
        axis.set(
            title=dataset,
            xscale='log',
            xlabel='seconds to train',
            ylabel=f'test {RECALL}',
        )
    return _with_legend(figure, panels)


def _groups(results: Results) -> 'Figure | None':
    figure, panels = _panels(results)
    for dataset, axis in panels:
        for (name, model), result in results.items():
            groups = [extra(row)['groups'] for row in result.rows if row['extra']]
            if name != dataset or not groups:
                continue
            means = [np.mean([g[x][1] for g in groups]) for x in groups[0]]
            axis.plot(list(groups[0]), means, **_style(model))
        axis.set(
            title=dataset, xlabel='training pairs of a user', ylabel=f'test {RECALL}'
        )
    return _with_legend(figure, panels)


def _sensitivity(store: Store, results: Results) -> 'Figure | None':
    found = study_rows(store, 'sensitivity')
    if not found:
        return None
    from matplotlib.figure import Figure

    columns = -(-len(SENSITIVITY) // 2)
    figure = Figure(figsize=(4 * columns, 6), layout='constrained')
    axes = figure.subplots(2, columns, squeeze=False).flat
    for axis, name in zip(axes, SENSITIVITY, strict=False):
        lines = {}
        for (dataset, model), variants in found.items():
            points = _points(variants, name)
            main = results.get((dataset, model))
            if main is not None and main.rows:
                value = MODELS[model].value(json.loads(main.rows[0]['config']), name)
                points[str(value)] = main.interval(RECALL)
            lines[f'{dataset}, {MODELS[model].title}'] = points
        _draw_levels(axis, lines)
        axis.set(xlabel=name, ylabel=f'test {RECALL}')
    axes[0].legend(fontsize=7)
    return figure


def _shares(store: Store, results: Results, study: str) -> 'Figure | None':
    found = study_rows(store, study)
    chosen = {place: result for place, result in results.items() if place in found}
    figure, panels = _panels(chosen)
    for dataset, axis in panels:
        for (name, model), variants in found.items():
            if name != dataset:
                continue
            points = _points(variants, STUDIES[study].changes[0].variant)
            if (name, model) in chosen and chosen[name, model].rows:
                points['0'] = chosen[name, model].interval(RECALL)
            levels = sorted(points, key=float)
            values = [points[level] for level in levels]
            axis.errorbar(
                [float(level) for level in levels],
                [value.mean for value in values],
                [np.nan_to_num(value.half_width) for value in values],
                **_style(model, line='-'),
            )
        axis.set(title=dataset, xlabel=STUDIES[study].title, ylabel=f'test {RECALL}')
    return _with_legend(figure, panels)


def _points(variants: dict[Place, list[Row]], variant: str) -> dict[str, Interval]:
    return {
        level: column_interval(rows, RECALL)
        for (name, level), rows in variants.items()
        if name == variant
    }


def _draw_levels(axis: 'Axes', lines: dict[str, dict[str, Interval]]) -> None:
    # Evenly spaced, since values range over orders of magnitude, or are zero.
    levels = sorted({level for points in lines.values() for level in points}, key=float)
    for label, points in lines.items():
        places = [i for i, level in enumerate(levels) if level in points]
        values = [points[levels[i]] for i in places]
        axis.errorbar(
            places,
            [value.mean for value in values],
            [np.nan_to_num(value.half_width) for value in values],
            marker='o',
            label=label,
        )
    axis.set_xticks(range(len(levels)), levels)


def _style(model: str, line: str = ':') -> dict:
    return {
        'color': COLORS[model],
        'marker': MARKERS[model],
        'linestyle': line,
        'label': MODELS[model].title,
    }


def _panels(
    results: Results, width: float = 4.0
) -> 'tuple[Figure | None, list[tuple[str, Axes]]]':
    datasets = datasets_of({p: r for p, r in results.items() if r.rows})
    if not datasets:
        return None, []
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * len(datasets) + 1.5, 3.4), layout='constrained')
    axes = figure.subplots(1, len(datasets), squeeze=False)[0]
    return figure, list(zip(datasets, axes, strict=True))


def _with_legend(
    figure: 'Figure | None', panels: 'list[tuple[str, Axes]]'
) -> 'Figure | None':
    if figure is not None:
        handles: dict[str, Any] = {}
        for _, axis in panels:
            found, labels = axis.get_legend_handles_labels()
            handles |= dict(zip(labels, found, strict=True))
        figure.legend(
            list(handles.values()), list(handles), loc='outside right upper', fontsize=7
        )
    return figure
