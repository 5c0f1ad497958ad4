r"""Pages of the repository that become pages of the documentation: their links to files
that have no page lead nowhere, and are shown as code.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
# Pages by the files of the repository that they are made of.
SHOWN = {
    'README.md': 'guides/your_data',
    'docs/architecture.md': 'architecture',
    'benchmarks/README.md': 'benchmarks/index',
    'benchmarks/accuracy/README.md': 'benchmarks/accuracy',
    'benchmarks/results/accuracy/README.md': 'benchmarks/results',
    'CHANGELOG.md': 'changes',
}
LINK = re.compile(r'(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)]*)?\)')


def included(name: str, page: str) -> str:
    r"""The text of a file of the repository, with links that hold on a page."""
    path = ROOT / name
    up = '../' * page.count('/')

    def link(match: re.Match[str]) -> str:
        image, words, target, anchor = match.groups()
        if '://' in target or not target:
            return match[0]
        found = (path.parent / target).resolve().relative_to(ROOT).as_posix()
        if image:
            return f'![{words}]({up}../{found})'
        if found in SHOWN:
            other = SHOWN[found]
            # Headings of the README are other ones than those of its pages.
            anchor = '' if found == 'README.md' else anchor or ''
            return f'[{words}](/{other}.md{anchor})'
        return words if words.startswith('`') else f'{words} (`{found}`)'

    return LINK.sub(link, path.read_text(encoding='utf-8'))


def write_pages(app: Sphinx) -> None:
    for name, page in SHOWN.items():
        path = Path(app.srcdir) / f'{page}.md'
        if name in ('README.md', 'docs/architecture.md'):
            continue
        text = included(name, page)
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding='utf-8') != text:
            path.write_text(text, encoding='utf-8')


def setup(app: Sphinx) -> dict[str, bool]:
    write_pages(app)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
