r"""The pictures of the start page, as SVG that takes the colors of the page."""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).parents[2]
TABLE = ROOT / 'benchmarks/accuracy/README.md'
SHOWN = {
    'popularity': 'other',
    'LightGCN': 'local',
    'LGMRec, as in the paper': 'modality',
    'LGMRec, recommended': 'global',
}


def text(x: float, y: float, words: str, style: str = '') -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{words}</text>'


def box(x: float, y: float, width: float, style: str, title: str, words: str) -> str:
    return (
        f'<g class="{style}"><rect x="{x}" y="{y}" width="{width}" height="52" rx="8"/>'
        f'{text(x + width / 2, y + 23, title, "title")}'
        f'{text(x + width / 2, y + 41, words)}</g>'
    )


def arrow(*points: tuple[int, int]) -> str:
    path = ' L'.join(f'{x} {y}' for x, y in points)
    return f'<path class="arrow" d="M{path}" marker-end="url(#head)"/>'


def svg(name: str, size: tuple[int, int], label: str, parts: list[str]) -> str:
    r"""A picture that scales, and that says in words what it shows."""
    head = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    return (
        f'<svg class="picture {name}" viewBox="0 0 {size[0]} {size[1]}" role="img" '
        f'aria-label="{label}">{head}{"".join(parts)}</svg>\n'
    )


def model() -> str:
    parts = [
        box(8, 8, 160, 'other', 'IDs', 'of users and items'),
        box(184, 8, 328, 'other', 'features', 'pictures, texts, ... of items'),
        box(8, 104, 160, 'local', 'embeddings', '64 numbers an ID'),
        box(184, 104, 152, 'modality', 'projection', 'features to 64'),
        box(360, 104, 152, 'global', 'memberships', 'in hyperedges'),
        box(8, 200, 160, 'local', 'propagation', 'over interactions'),
        box(184, 200, 152, 'modality', 'propagation', 'over interactions'),
        box(360, 200, 152, 'global', 'hypergraph', 'items and users'),
        box(8, 316, 504, 'other', 'fusion', 'sum of local and global embeddings'),
        box(144, 402, 232, 'other', 'score', 'of a user and an item'),
        *(arrow((x, 156), (x, 198)) for x in (88, 260, 436)),
        *(arrow((x, 252), (x, 314)) for x in (88, 260, 436)),
        *(arrow((x, 60), (x, 102)) for x in (260, 436)),
        arrow((88, 60), (88, 102)),
        arrow((88, 282), (348, 282), (348, 226), (358, 226)),
        arrow((260, 368), (260, 400)),
        text(178, 276, 'of items', 'note'),
    ]
    label = (
        'LGMRec: ID embeddings and projected features are propagated over the '
        'interactions apart from each other; item embeddings also pass through '
        'hyperedges that features define; the sum of all gives the score.'
    )
    return svg('model', (520, 462), label, parts)


def read_table() -> tuple[list[str], dict[str, list[float]]]:
    r"""Test Recall@20 by dataset, of the models to be shown."""
    page = TABLE.read_text(encoding='utf-8')
    table = page[page.index('| | lfm2k') :].split('\n\n')[0].splitlines()
    head, _, *lines = [[x.strip(' *') for x in row.split('|')[1:-1]] for row in table]
    rows = {name: [float(x) for x in values] for name, *values in lines}
    return head[1:], {name: rows[name] for name in SHOWN}


def result() -> str:
    datasets, rows = read_table()
    parts, y, scale = [], 22, 330 / max(max(values) for values in rows.values())
    for i, dataset in enumerate(datasets):
        parts.append(text(8, y, dataset, 'title start'))
        for name, style in SHOWN.items():
            y += 24
            width = scale * rows[name][i]
            parts.append(
                f'<g class="{style}">{text(8, y, name, "start")}<rect class="bar" '
                f'x="170" y="{y - 13}" width="{width:.1f}" height="17"/>'
                f'{text(176 + width, y, f"{rows[name][i]:.3f}"[1:], "start")}</g>'
            )
        y += 36
    label = 'Test Recall@20 by dataset and model, as in the table of the accuracy page.'
    return svg('result', (560, y - 20), label, parts)


def draw(app: Sphinx, config: Config) -> None:
    folder = Path(app.srcdir) / 'images'
    folder.mkdir(exist_ok=True)
    for name, picture in {'model': model(), 'result': result()}.items():
        (folder / f'{name}.svg').write_text(picture, encoding='utf-8')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('config-inited', draw)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
