r"""Equations as MathML, which browsers draw themselves: no script and no network."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging


def visit_inline(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node, node.astext(), 'inline'))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    lines = node.astext().strip().split('\n\n')
    equation = r' \\ '.join(lines)
    if len(lines) > 1 or '&' in equation:
        equation = rf'\begin{{align*}}{equation}\end{{align*}}'
    self.body.append(f'<div class="math">{mathml(node, equation, "block")}</div>')
    raise nodes.SkipNode


def mathml(node: nodes.Element, equation: str, display: str) -> str:
    try:
        out = convert(equation, display=display)
    except Exception as error:
        out = f'\\{error!r}'
    if '\\' in out or '&<' in out:
        logger = logging.getLogger(__name__)
        logger.warning('cannot draw %r: %s', equation, out, location=node)
    return out


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer('mathml', (visit_inline, None), (visit_block, None))
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
