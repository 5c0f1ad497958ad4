r"""The API reference: a page for each package, and one for each of its public names."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.pycode import ModuleAnalyzer

import lgmrec_pyg

# Public, although no package exports them yet.
EXPERIMENTAL = 'lgmrec_pyg.training.experimental'


def packages() -> dict[str, ModuleType]:
    r"""The packages with public names of their own, by name."""
    found = pkgutil.walk_packages(lgmrec_pyg.__path__, 'lgmrec_pyg.')
    names = [module.name for module in found if module.ispkg]
    modules = [importlib.import_module(name) for name in [*names, EXPERIMENTAL]]
    return {module.__name__: module for module in modules if exported(module)}


def exported(module: ModuleType) -> list[str]:
    r"""The public names of a package but those that the package above exports too."""
    above = importlib.import_module(module.__name__.rpartition('.')[0])
    names = getattr(module, '__all__', ())
    if above is lgmrec_pyg:
        return list(names)
    return [x for x in names if x not in getattr(above, '__all__', ())]


def write_pages(app: Sphinx, config: Config) -> None:
    folder = Path(app.srcdir) / 'api'
    folder.mkdir(exist_ok=True)
    pages = {'index': index_page()}
    for name, module in packages().items():
        pages[name] = package_page(module)
        for member in exported(module):
            pages[f'{name}.{member}'] = member_page(module, member)
    for path in folder.glob('*.rst'):
        if path.stem not in pages and path.name != 'index.rst':
            path.unlink()
    for name, text in pages.items():
        path = folder / f'{name}.rst'
        if not path.exists() or path.read_text() != text:  # Else Sphinx reads it anew.
            path.write_text(text)


def index_page() -> str:
    rows = ''.join(
        f'   * - :doc:`{name} <{name}>`\n     - {summary(module)}\n'
        for name, module in packages().items()
    )
    home = {
        member: name
        for name, module in packages().items()
        for member in exported(module)
        if getattr(lgmrec_pyg, member, None) is getattr(module, member)
    }
    often = ', '.join(
        f':obj:`~{home[name]}.{name}`' for name in sorted(lgmrec_pyg.__all__)
    )
    entries = ''.join(f'   {name}\n' for name in packages())
    return (
        f'{title("API reference")}What is used most can be imported from '
        f'``lgmrec_pyg`` itself: {often}.\n\n'
        f'.. list-table::\n   :widths: 35 65\n\n{rows}\n'
        f'.. toctree::\n   :hidden:\n\n{entries}'
    )


def package_page(module: ModuleType) -> str:
    name, members = module.__name__, exported(module)
    text = f'{title(name)}.. module:: {name}\n\n{summary(module)}\n\n'
    for heading, group in sections(module).items():
        if heading:
            text += title(heading, '-')
        text += '.. autosummary::\n   :nosignatures:\n\n'
        text += ''.join(f'   {member}\n' for member in group) + '\n'
    constants = [x for x in members if is_constant(getattr(module, x))]
    if constants:
        text += title('Constants', '-')
    for member in constants:
        text += f'- :data:`{member}`: {" ".join(comment(module, member))}\n'
    entries = ''.join(f'   {member} <{name}.{member}>\n' for member in members)
    return f'{text}\n.. toctree::\n   :hidden:\n\n{entries}'


def sections(module: ModuleType) -> dict[str, list[str]]:
    r"""The names of a package but constants, by the package below that defines them."""
    groups: dict[str, list[str]] = {'': []}
    for found in pkgutil.iter_modules(getattr(module, '__path__', ())):
        if found.ispkg:
            below = importlib.import_module(f'{module.__name__}.{found.name}')
            groups[summary(below).rstrip('.')] = list(getattr(below, '__all__', ()))
    members = [x for x in exported(module) if not is_constant(getattr(module, x))]
    inner = {member for group in groups.values() for member in group}
    groups[''] = [member for member in members if member not in inner]
    found_in = {
        key: [x for x in group if x in members] for key, group in groups.items()
    }
    return {heading: group for heading, group in found_in.items() if group}


def is_constant(value: Any) -> bool:
    return not (inspect.isclass(value) or inspect.isroutine(value))


def member_page(module: ModuleType, member: str) -> str:
    name, value = f'{module.__name__}.{member}', getattr(module, member)
    if is_constant(value):
        lines = ''.join(f'   {line}\n' for line in comment(module, member))
        return f'{title(member)}.. data:: {name}\n\n{lines}'
    kind = 'autoclass' if inspect.isclass(value) else 'autofunction'
    if kind == 'autoclass' and issubclass(value, Exception):
        kind = 'autoexception'
    return f'{title(member)}.. {kind}:: {name}\n'


def comment(module: ModuleType, member: str) -> list[str]:
    r"""The comment of a constant, wherever in the package it is defined."""
    for found in pkgutil.walk_packages(module.__path__, f'{module.__name__}.'):
        documented = ModuleAnalyzer.for_module(found.name).find_attr_docs()
        if ('', member) in documented:
            return documented['', member]
    value = getattr(module, member)
    if type(value).__module__ == 'builtins':
        where = f"'{member}' of '{module.__name__}'"
        raise ExtensionError(f"{where} needs a comment '#: ...' where it is defined")
    return [f'A ``{type(value).__name__}``.']


def summary(module: ModuleType) -> str:
    return (module.__doc__ or '').strip().split('\n\n')[0]


def title(text: str, rule: str = '=') -> str:
    return f'{text}\n{rule * len(text)}\n\n'


def skip_member(
    app: Sphinx, kind: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    r"""Leaves out the fields of named tuples, which their classes describe, and shows
    every forward for what it takes, documented or not.
    """
    if type(value).__name__ == '_tuplegetter':
        return True
    return False if name == 'forward' else None


def shorten_defaults(
    app: Sphinx,
    kind: str,
    name: str,
    value: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    r"""Writes the defaults of dataclasses in a way that can be parsed."""
    return signature and signature.replace('<factory>', '...'), returns


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('config-inited', write_pages)
    app.connect('autodoc-skip-member', skip_member)
    app.connect('autodoc-process-signature', shorten_defaults)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
