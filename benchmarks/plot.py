r"""Plots of a CSV: ``python -m benchmarks.plot benchmark-results/spmm.csv``."""

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, str]


@dataclass(frozen=True)
class Figure:
    r"""Lines of :obj:`y` over :obj:`x`, or bars if there is no :obj:`x`: one
    line a candidate, one panel for each value of the columns in
    :obj:`panels`, only rows that match :obj:`where` (``*`` ends a prefix).
    """

    name: str
    y: str
    label: str
    x: str | None = None
    panels: tuple[str, ...] = ()
    where: dict[str, str] = field(default_factory=dict)


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
    'train_step': [Figure('step', 'median_ms', 'ms per step', None, ('setting',))],
    'epoch': [
        Figure('epoch', 'median_ms', 'ms per epoch', None, ('setting', 'phase')),
    ],
    'memory': [Figure('memory', 'peak_mib', 'peak MiB', None, ('setting',))],
    'serving': [
        Figure('rate', 'users_per_second', 'users per second', None, ('users', 'items'))
    ],
    'cold_start': [Figure('recall', 'recall', 'Recall@20', None, ('data', 'case'))],
}


def plot_csv(path: str) -> list[str]:
    r"""Writes the figures of a suite next to its CSV; returns their paths."""
    try:
        import matplotlib
    except ImportError:
        print("Plots require 'matplotlib': pip install matplotlib")
        return []
    matplotlib.use('Agg')
    folder, name = os.path.split(path)
    suite = os.path.splitext(name)[0]
    rows = read_rows(path) if os.path.exists(path) else []
    written = []
    for figure in FIGURES.get(suite, []):
        chosen = [row for row in rows if _matches(row, figure.where)]
        chosen = [row for row in chosen if row.get(figure.y, '') != '']
        if chosen:
            target = os.path.join(folder, f'{suite}_{figure.name}.png')
            _draw(figure, chosen, target)
            written.append(target)
    return written


def _matches(row: Row, where: dict[str, str]) -> bool:
    return all(
        row[key].startswith(value[:-1]) if value.endswith('*') else row[key] == value
        for key, value in where.items()
    )


def _draw(figure: Figure, rows: Sequence[Row], target: str) -> None:
    import matplotlib.pyplot as plt

    panels = list(_panels(figure, rows))
    columns = min(4, len(panels))
    height = -(-len(panels) // columns)
    fig, axes = plt.subplots(
        height,
        columns,
        figsize=(4 * columns + 1.2, 3.2 * height),
        squeeze=False,
        layout='constrained',
    )
    names = list(dict.fromkeys(row['candidate'] for row in rows))
    colors = {name: f'C{i % 10}' for i, name in enumerate(names)}
    for axis, (title, members) in zip(axes.flat, panels, strict=False):
        axis.set_title(title, fontsize=8)
        axis.set_ylabel(figure.label)
        if figure.x is None:
            _draw_bars(axis, figure, members, colors)
        else:
            _draw_lines(axis, figure, members, colors)
    for axis in axes.flat[len(panels) :]:
        axis.axis('off')
    if figure.x is not None:
        lines = {line.get_label(): line for axis in axes.flat for line in axis.lines}
        fig.legend(lines.values(), lines.keys(), loc='outside right upper', fontsize=7)
    fig.suptitle(f'{rows[0]["machine"]}, torch {rows[0]["torch"]}', fontsize=9)
    fig.savefig(target, dpi=120)
    plt.close(fig)


def _panels(figure: Figure, rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        title = ', '.join(f'{key} {row[key]}' for key in figure.panels)
        groups.setdefault(title, []).append(row)
    yield from groups.items()


def _draw_lines(
    axis: 'Axes', figure: Figure, rows: Sequence[Row], colors: dict[str, str]
) -> None:
    assert figure.x is not None
    for name, color in colors.items():
        points = [
            (float(row[figure.x]), float(row[figure.y]))
            for row in rows
            if row['candidate'] == name
        ]
        if points:
            xs, ys = zip(*sorted(points), strict=True)
            axis.plot(xs, ys, marker='.', color=color, label=name)
    axis.set_xscale('log', base=2 if figure.x in {'width', 'hyperedges'} else 10)
    axis.set_yscale('log')
    axis.set_xlabel(figure.x)


def _draw_bars(
    axis: 'Axes', figure: Figure, rows: Sequence[Row], colors: dict[str, str]
) -> None:
    for row in rows:
        name, value = row['candidate'], float(row[figure.y])
        bar = axis.bar(name, value, color=colors[name], label=name)
        axis.bar_label(bar, fmt='%.3g', fontsize=7)
    axis.tick_params(axis='x', labelrotation=20, labelsize=7)


def read_rows(path: str) -> list[dict[str, str]]:
    r"""Reads the rows of a CSV."""
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser('benchmarks.plot', description=__doc__)
    parser.add_argument('csv', nargs='+')
    for path in parser.parse_args(argv).csv:
        for target in plot_csv(path):
            print(target)


if __name__ == '__main__':
    main()
