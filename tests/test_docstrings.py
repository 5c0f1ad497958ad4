r"""What docstrings say of defaults is what signatures say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lgmrec_pyg

PACKAGE = Path(lgmrec_pyg.__file__).parent
# An argument, and all that is said about it until the next one or an empty line.
ARGUMENT = re.compile(
    r'^ +(\w+) \([^()]*(?:\([^()]*\)[^()]*)*, optional\):(.*?)(?=^ +\w+ \(|^ *$|\Z)',
    re.MULTILINE | re.DOTALL,
)
DEFAULT = re.compile(r'\(default:\s+:obj:`(.+?)`\)', re.DOTALL)


def defaults_of(node: ast.ClassDef | ast.FunctionDef) -> dict[str, ast.expr]:
    r"""The defaults of a function, or of the constructor of a class."""
    if isinstance(node, ast.ClassDef):
        functions = [x for x in node.body if isinstance(x, ast.FunctionDef)]
        found = [x for x in functions if x.name == '__init__']
        return defaults_of(found[0]) if found else {}
    arguments = node.args
    places = [*arguments.posonlyargs, *arguments.args]
    last = places[len(places) - len(arguments.defaults) :]
    out = {x.arg: value for x, value in zip(last, arguments.defaults, strict=True)}
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return out | {x.arg: value for x, value in named if value is not None}


def documented() -> Iterator[tuple[str, str, ast.expr]]:
    r"""Every argument with a documented default: its place, that, and the real one."""
    for path in sorted(PACKAGE.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                continue
            text = (ast.get_docstring(node) or '').replace('\n', '\n ')
            defaults = defaults_of(node)
            for name, words in ARGUMENT.findall(text):
                found = DEFAULT.search(words)
                if found and name in defaults:
                    place = f'{path.relative_to(PACKAGE)}: {node.name}, {name}'
                    yield place, found[1], defaults[name]


def value_of(text: str) -> Any:
    text = ' '.join(text.split())
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def test_defaults_are_as_documented() -> None:
    rows = [row for row in documented() if not isinstance(row[2], ast.Name)]
    assert len(rows) > 300
    for place, text, default in rows:
        assert value_of(text) == value_of(ast.unparse(default)), place
