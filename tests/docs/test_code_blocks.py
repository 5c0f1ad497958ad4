r"""Every block of code in the README and the documentation: Python runs from the top
of a page to its end, on built-in data; commands name what exists.
"""

import contextlib
import functools
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import torch

import lgmrec_pyg

ROOT = Path(__file__).parents[2]
PAGES = [
    'README.md',
    'benchmarks/README.md',
    'benchmarks/accuracy/README.md',
    'docs/index.md',
    *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob('docs/guides/*.md'))),
]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding='utf-8')
    return re.findall(rf'^```{language}\n(.*?)^```', text, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page, '(?:bash|sh|shell|console)'):
            for line in block.replace('\\\n', ' ').splitlines():
                line = line.removeprefix('$ ').partition(' #')[0]
                found += [(page, x.strip()) for x in line.split('&&') if x.strip()]
    return found


@pytest.fixture(scope='module')
def shop(tmp_path_factory):
    r"""The files that pages start from: a table, features, a folder in the layout."""
    folder = tmp_path_factory.mktemp('shop')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['own_data.py', '--output', str(folder)])
        patch.setattr(lgmrec_pyg.training, 'fit', lambda *args, **kwargs: None)
        runpy.run_path(str(ROOT / 'examples/own_data.py'), run_name='__main__')
    layout = folder / 'path/to/NAME'
    layout.mkdir(parents=True)
    rows = [(u, (u + i) % 12, i // 4 + i // 5) for u in range(12) for i in range(6)]
    lines = ['\t'.join(map(str, x)) for x in [('userID', 'itemID', 'x_label'), *rows]]
    (layout / 'NAME.inter').write_text('\n'.join(lines))
    return folder


@pytest.mark.parametrize('page', [x for x in PAGES if blocks(x, 'python')])
def test_python_runs_from_top_to_bottom(page, shop, tmp_path, monkeypatch):
    pytest.importorskip('pyarrow')
    for path in shop.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    few = functools.partial(lgmrec_pyg.fit, epochs=1, progress=False)
    monkeypatch.setattr(lgmrec_pyg, 'fit', few)
    torch.manual_seed(0)
    variables = {'__name__': 'page'}
    if page == 'README.md':  # Its second block changes a line of the first.
        variables['MultimodalDataset'] = lgmrec_pyg.MultimodalDataset
    for block in blocks(page, 'python'):
        exec(compile(block, page, 'exec', dont_inherit=True), variables)


def test_the_readme_takes_ten_lines_from_files_to_recommendations():
    first = blocks('README.md', 'python')[0]
    assert len(first.split('\n\n')[1].splitlines()) <= 10  # Beside their import.


@functools.cache
def help_of(*program: str) -> str:
    r"""What a script or a module of the repository prints on ``--help``."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv('COLUMNS', '200')
        patch.syspath_prepend(str(ROOT))
        patch.setattr(sys, 'argv', [*program, '--help'])
        run = functools.partial(runpy.run_module, program[0], alter_sys=True)
        if program[0].endswith('.py'):
            run = functools.partial(runpy.run_path, str(ROOT / program[0]))
        with pytest.raises(SystemExit) as end:
            run(run_name='__main__')
        assert not end.value.code
    return out.getvalue()


def program_of(words: list[str]) -> list[str]:
    r"""The program of this repository that a command runs, with its verb, if any."""
    if words[0] == 'lgmrec':
        return ['lgmrec_pyg', *words[1:2]]
    if words[:2] == ['python', '-m']:
        if words[2] == 'lgmrec_pyg':
            return words[2:4]
        return words[2:3] if words[2].startswith('benchmarks') else []
    return [x for x in words[:1] + words[1:2] if x.endswith('.py')][:1]


@pytest.mark.parametrize(('page', 'command'), commands())
def test_commands_name_what_is_there(page, command):
    words = shlex.split(command)
    tomllib = pytest.importorskip('tomllib', reason='needs Python 3.11')
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    for extras in re.findall(r'\.\[([\w,]+)\]', command):
        assert set(extras.split(',')) <= set(project['optional-dependencies'])
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {
        'data',
        'output',
    }
    for word in words:
        if word.split('/')[0] in folders and '/' in word and '_build' not in word:
            assert (ROOT / word).exists(), word
    program = program_of(words)
    flags = [word.partition('=')[0] for word in words if re.match(r'--?[a-z]', word)]
    if program:
        text = help_of(*program)
        known = re.findall(r'(?<![\w-])--?[\w-]+', text)
        assert [flag for flag in flags if flag not in [*known, '-m', '--help']] == []
