r"""Plots of a CSV: ``python -m benchmarks.plot benchmark-results/spmm.csv``."""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Figure:
    r"""Lines of :obj:`y` over :obj:`x`, or bars if there is no :obj:`x`: one
    line a candidate, one panel for each value of the columns in
    :obj:`panels`, only rows that match :obj:`where` (``*`` ends a prefix). If rows of
    a candidate share an :obj:`x`, each value of :obj:`apart` has its line.
    """

    name: str
    y: str
    label: str
    x: str | None = None
    panels: tuple[str, ...] = ()
    where: dict[str, str] = field(default_factory=dict)
    apart: str | None = None


FIGURES = {
    'spmm': [
        Figure(
            'width',
            'ns_per_edge',
            'ns per edge',
            'width',
            ('graph', 'index', 'value'),
            {'pass': 'forward'},
        ),
        Figure(
            'size',
            'ns_per_edge',
            'ns per edge',
            'edges',
            ('index', 'value', 'pass'),
            {'width': '64', 'graph': 'power-law*'},
        ),
    ],
    'hypergraph': [
        Figure(
            'hyperedges', 'median_ms', 'ms', 'hyperedges', ('nodes', 'per_node', 'pass')
        ),
    ],
    'contrast': [
        Figure('nodes', 'median_ms', 'ms', 'nodes', ('batch', 'form', 'hyperedges')),
    ],
    'attention': [
        Figure('edges', 'median_ms', 'ms', 'edges', ('heads',)),
    ],
    'train_step': [Figure('step', 'median_ms', 'ms per step', None, ('setting',))],
    'epoch': [
        Figure('epoch', 'median_ms', 'ms per epoch', None, ('setting', 'phase')),
    ],
    'mmrec': [Figure('epoch', 'median_ms', 'ms per epoch', None, ('model',))],
    'memory': [Figure('memory', 'peak_mib', 'peak MiB', None, ('setting',))],
    'serving': [
        Figure('rate', 'users_per_second', 'users per second', None, ('users', 'items'))
    ],
    'scale': [
        Figure(name, y, label, 'edges', ('processes',), apart='batch_size')
        for name, y, label in (
            ('epoch', 'epoch_s', 's per epoch'),
            ('edge', 'us_per_edge', 'us per edge of an epoch'),
            ('step', 'step_ms', 'ms per step'),
            ('memory', 'peak_mib', 'peak MiB a process'),
        )
    ],
    'cold_start': [Figure('recall', 'recall', 'Recall@20', None, ('data', 'case'))],
}


def plot_csv(path: str) -> list[str]:
    r"""Writes the figures of a suite next to its CSV; returns their paths."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print("Plots require 'matplotlib': pip install matplotlib")
        return []
    folder, name = os.path.split(path)
    suite = os.path.splitext(name)[0]
    written = []
    table = pd.DataFrame(read_rows(path) if os.path.exists(path) else [])
    for figure in FIGURES.get(suite, []) if len(table) else []:
        rows = table[table[figure.y] != '']
        for key, value in figure.where.items():
            same = rows[key] == value
            if value.endswith('*'):
                same = rows[key].str.startswith(value[:-1])
            rows = rows[same]
        if len(rows):
            numbers = filter(None, (figure.x, figure.y))
            rows = rows.astype(dict.fromkeys(numbers, float))
            target = os.path.join(folder, f'{suite}_{figure.name}.png')
            _draw(figure, rows, target)
            written.append(target)
    return written


def _draw(figure: Figure, rows: pd.DataFrame, target: str) -> None:
    from matplotlib.figure import Figure as Canvas

    titles = pd.Series('', rows.index)
    for i, key in enumerate(figure.panels):
        titles += (', ' if i else '') + f'{key} ' + rows[key].astype(str)
    panels = list(rows.groupby(titles, sort=False))
    columns = min(4, len(panels))
    height = -(-len(panels) // columns)
    size = (4 * columns + 1.2, 3.2 * height)
    canvas = Canvas(figsize=size, layout='constrained')
    axes = list(canvas.subplots(height, columns, squeeze=False).flat)
    colors: dict[str, str] = {}
    lines = {}
    for axis, (title, members) in zip(axes, panels, strict=False):
        axis.set_title(title, fontsize=8)
        axis.set_ylabel(figure.label)
        for name, points in lines_of(figure, members):
            colors.setdefault(name, f'C{len(colors) % 10}')
            if figure.x is None:
                bar = axis.bar(name, points[figure.y].iloc[-1], color=colors[name])
                axis.bar_label(bar, fmt='%.3g', fontsize=7)
            else:
                xy = points.sort_values(figure.x)[[figure.x, figure.y]].to_numpy().T
                (lines[name],) = axis.plot(*xy, marker='.', color=colors[name])
        if figure.x is None:
            axis.tick_params(axis='x', labelrotation=20, labelsize=7)
        else:
            axis.set_xscale(
                'log', base=2 if figure.x in {'width', 'hyperedges'} else 10
            )
            axis.set(yscale='log', xlabel=figure.x)
    for axis in axes[len(panels) :]:
        axis.axis('off')
    if lines:
        handles, names = list(lines.values()), list(lines)
        canvas.legend(handles, names, loc='outside right upper', fontsize=7)
    canvas.suptitle('{machine}, torch {torch}'.format(**rows.iloc[0]), fontsize=9)
    canvas.savefig(target, dpi=120)


def lines_of(figure: Figure, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    r"""The rows of each line of a panel, with its name."""
    for name, points in rows.groupby('candidate', sort=False):
        if figure.apart is None or not points[figure.x].duplicated().any():
            yield str(name), points
            continue
        for value, part in points.groupby(figure.apart, sort=False):
            yield f'{name}, {figure.apart} {value}', part


def read_rows(path: str) -> list[dict[str, str]]:
    r"""Reads the rows of a CSV, as text."""
    rows: list[dict[str, str]] = pd.read_csv(
        path, dtype=str, keep_default_na=False
    ).to_dict('records')
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser('benchmarks.plot', description=__doc__)
    parser.add_argument('csv', nargs='+')
    for path in parser.parse_args(argv).csv:
        suite = os.path.splitext(os.path.basename(path))[0]
        if suite not in FIGURES or not os.path.exists(path):
            parser.error(
                f"'csv' needs to be files that exist, named by their suites, which are "
                f'{", ".join(FIGURES)} (got {path!r})'
            )
        for target in plot_csv(path):
            print(target)


if __name__ == '__main__':
    main()
