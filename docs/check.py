r"""Checks the built documentation, without a network: every public name has a page,
every internal link leads somewhere, and no page loads anything from elsewhere.

    python docs/check.py docs/_build
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.inventory import InventoryFile

import lgmrec_pyg

# What a browser fetches by itself, in contrast to what a reader follows.
LOADED = {
    'script': 'src',
    'img': 'src',
    'link': 'href',
    'source': 'src',
    'iframe': 'src',
}


class Page(HTMLParser):
    r"""The anchors of a page, the links to follow, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {x for x in (values.get('id'), values.get('name')) if x}
        target = values.get(LOADED.get(tag, 'href'))
        if not target:
            return
        if tag == 'a':
            self.links.append(target)
        elif tag in LOADED and values.get('rel') not in ('canonical', 'alternate'):
            self.loads.append(target)


def public_names() -> Iterator[str]:
    r"""The public names of every package, by that package."""
    yield from (f'lgmrec_pyg.{name}' for name in lgmrec_pyg.__all__)
    for found in pkgutil.walk_packages(lgmrec_pyg.__path__, 'lgmrec_pyg.'):
        if found.ispkg:
            names = getattr(importlib.import_module(found.name), '__all__', ())
            yield from (f'{found.name}.{name}' for name in names)


def names_without_page(site: Path) -> list[str]:
    r"""The public names that no page documents: by their package, or by one above or
    below that exports the same.
    """
    inventory = InventoryFile.loads((site / 'objects.inv').read_bytes(), uri='')
    documented = {}
    for kind, names in inventory.data.items():
        for name in names if kind.startswith('py:') else ():
            module, _, member = name.rpartition('.')
            value = getattr(sys.modules.get(module), member, None)
            documented.setdefault(member, []).append((name, value))
    missing = []
    for name in public_names():
        module, _, member = name.rpartition('.')
        value = getattr(sys.modules[module], member)
        found = documented.get(member, [])
        if not any(name == other or value is same for other, same in found):
            missing.append(name)
    return missing


def broken_links(site: Path) -> Iterator[str]:
    pages = {path: Page(path) for path in sorted(site.rglob('*.html'))}
    for path, page in pages.items():
        where = path.relative_to(site)
        for target in page.loads:
            if urlsplit(target).scheme not in ('', 'data') or target.startswith('//'):
                yield f'{where} loads {target}'
        for target in [*page.links, *page.loads]:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            found = (
                path if not url.path else (path.parent / unquote(url.path)).resolve()
            )
            if not found.exists():
                yield f'{where} links to {target}, which is not there'
            elif (
                url.fragment
                and found in pages
                and unquote(url.fragment) not in pages[found].anchors
            ):
                yield f'{where} links to {target}, which has no such anchor'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('site', type=Path, help='the folder of the built pages')
    site = parser.parse_args().site.resolve()
    wrong = [f'{name} has no page' for name in names_without_page(site)]
    wrong += broken_links(site)
    if wrong:
        raise SystemExit('\n'.join(wrong))
    print(f'{len([*public_names()])} public names have a page, and all links hold')


if __name__ == '__main__':
    main()
