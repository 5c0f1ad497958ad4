r"""What may import what, as `docs/architecture.md` says."""

import ast
import re
from pathlib import Path

import pytest

import lgmrec_pyg

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / 'lgmrec_pyg'
PAGE = (ROOT / 'docs/architecture.md').read_text()
# From the ground up: a room may import from the rooms of the lines before its own.
FLOORS = re.findall(r'^\| \d+ \| (.+?) \|', PAGE, re.MULTILINE)
ROOMS = {
    room: floor
    for floor, rooms in enumerate(FLOORS)
    for room in re.findall(r'`(\w+)`', rooms)
}


def sources(suffix: str = '.py') -> list[Path]:
    return sorted(PACKAGE.rglob(f'*{suffix}'))


def imported(path: Path) -> set[str]:
    r"""The rooms that a file imports from, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    parts = [name.split('.') for name in names]
    return {part[1] for part in parts if part[0] == 'lgmrec_pyg' and len(part) > 1}


def test_the_page_names_every_room() -> None:
    assert set(ROOMS) == {path.parent.name for path in PACKAGE.glob('*/__init__.py')}


@pytest.mark.parametrize('room', ROOMS)
def test_imports_lead_downwards(room: str) -> None:
    for path in sources():
        if path.relative_to(PACKAGE).parts[0] == room:
            upwards = {
                x for x in imported(path) if x != room and ROOMS[x] >= ROOMS[room]
            }
            assert not upwards, f'{path} imports from {upwards}'


def test_no_file_is_long_and_no_folder_a_drawer() -> None:
    long = {
        str(path): lines
        for path in [*sources(), *sources('.cpp')]
        if (lines := path.read_text().count('\n')) > 250
    }
    assert set(long) <= {str(PACKAGE / 'nn/models/lgmrec.py')}, long
    folders = {path.parent for path in sources()} - {PACKAGE}
    assert not [str(x) for x in folders if len(list(x.glob('*.py'))) < 3]


def test_all_names_exist() -> None:
    for name in lgmrec_pyg.__all__:
        assert hasattr(lgmrec_pyg, name)
