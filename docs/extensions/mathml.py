r"""Equations as MathML, which browsers draw themselves: no script and no network."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def visit_inline(self: Any, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    lines = node.astext().split('\n\n')
    equation = lines[0] if len(lines) == 1 else r' \\ '.join(lines)
    if '&' in equation:
        equation = rf'\begin{{aligned}}{equation}\end{{aligned}}'
    self.body.append(f'<div class="math">{convert(equation, "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer('mathml', (visit_inline, None), (visit_block, None))
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
