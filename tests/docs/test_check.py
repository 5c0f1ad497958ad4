r"""What is checked of the built documentation, on small sites with known mistakes."""

import importlib
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('sphinx', reason="needs 'pip install -e .[docs]'")
from sphinx.cmd.build import build_main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch):
    r"""Imports a module of the folder of the documentation."""
    names = ('check', 'first_content', 'links', 'mathml', 'pages', 'reference')
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    for folder in ('docs', 'docs/extensions'):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(others)


def write_site(folder, **pages):
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f'{name}.html').write_text(text)


def test_every_public_name_gets_a_page(load, tmp_path):
    reference, check = load('reference'), load('check')
    reference.write_pages(SimpleNamespace(srcdir=tmp_path), None)
    pages = {path.stem: path.read_text() for path in (tmp_path / 'api').iterdir()}
    members = {stem.rpartition('.')[2] for stem in pages}
    assert {name.rpartition('.')[2] for name in check.public_names()} <= members
    assert '.. autoclass:: lgmrec_pyg.nn.LGMRec\n' in pages['lgmrec_pyg.nn.LGMRec']
    constant = pages['lgmrec_pyg.graph.INTERACTS']
    assert '.. data:: lgmrec_pyg.graph.INTERACTS\n\n   The edge type of' in constant
    error = pages['lgmrec_pyg.datasets.DownloadError']
    assert '.. autoexception:: lgmrec_pyg.datasets.DownloadError' in error
    assert '   lgmrec_pyg.nn\n' in pages['index']


def test_names_without_a_page_are_found(load, tmp_path):
    check = load('check')
    source = tmp_path / 'source'
    source.mkdir()
    (source / 'index.rst').write_text(
        'One\n===\n\n.. py:class:: lgmrec_pyg.nn.LGMRec\n'
    )
    assert build_main(['-q', '-C', str(source), str(tmp_path / 'site')]) == 0
    missing = check.names_without_page(tmp_path / 'site')
    # Three packages export it, and one page is enough.
    found = set(check.public_names()) - set(missing)
    assert found == {
        'lgmrec_pyg.LGMRec',
        'lgmrec_pyg.nn.LGMRec',
        'lgmrec_pyg.nn.models.LGMRec',
    }
    assert 'lgmrec_pyg.nn.BipartiteConv' in missing


def test_broken_links_are_found(load, tmp_path):
    write_site(
        tmp_path,
        index='<a href="other.html#here">a</a><a href="#top">b</a><p id="top">c</p>'
        '<a href="https://example.org/">d</a><img src="data:image/png;base64,AA">',
        other='<h1 id="here">e</h1><a href="missing.html">f</a>'
        '<a href="index.html#nowhere">g</a>'
        '<script src="https://example.org/script.js"></script>'
        '<link rel="stylesheet" href="style.css">',
    )
    assert [*load('check').broken_links(tmp_path)] == [
        'other.html loads https://example.org/script.js',
        'other.html links to missing.html, which is not there',
        'other.html links to index.html#nowhere, which has no such anchor',
        'other.html links to style.css, which is not there',
    ]


def test_links_to_other_libraries_name_what_exists(load):
    links = load('links')
    installed = [name for name in links.LINKS if find_spec(name.split('.')[0])]
    missing = [name for name in installed if links.load(name) is None]
    # Methods, by the class that has them.
    for name in [*missing]:
        owner, _, method = name.rpartition('.')
        if hasattr(links.load(owner), method):
            missing.remove(name)
    assert missing == []
    url = 'https://docs.pytorch.org/docs/stable/tensors.html#torch.Tensor'
    assert links.LINKS['torch.Tensor'] == url
    save = 'lgmrec_pyg.recommend.Embeddings.save'
    own = frozenset({'lgmrec_pyg.nn.LGMRec', save})
    graph = 'torch_geometric.data.HeteroData'
    for name, expected in {
        'torch_geometric.data.hetero_data.HeteroData': graph,
        'HeteroData': graph,
        'lgmrec_pyg.nn.models.lgmrec.LGMRec': 'lgmrec_pyg.nn.LGMRec',
        'lgmrec_pyg.recommend.Recommender.save': save,
        'torch.nn.Tensorr': None,
        'torch.nn.Tensor': None,
    }.items():
        assert links.find(name, own) == expected


def test_links_of_included_pages_hold(load):
    pages = load('pages')
    text = pages.included('benchmarks/README.md', 'benchmarks/index')
    assert '![Time by width](../../benchmarks/results/cpu/spmm_width.png)' in text
    assert '(results/cpu)' not in text
    text = pages.included('benchmarks/accuracy/README.md', 'benchmarks/accuracy')
    assert '[cold start](/benchmarks/index.md#new-items-and-new-users)' in text


def test_equations_need_no_script(load, tmp_path):
    source = tmp_path / 'source'
    source.mkdir()
    (source / 'index.rst').write_text(
        'One\n===\n\n:math:`\\tau`\n\n.. math::\n    a &= \\frac{1}{2}\n\n    b &= 2\n'
    )
    (source / 'conf.py').write_text(
        "extensions = ['mathml']\nhtml_math_renderer = 'mathml'\n"
    )
    load('mathml')
    assert build_main(['-q', '-W', str(source), str(tmp_path / 'site')]) == 0
    page = (tmp_path / 'site/index.html').read_text()
    assert page.count('<math') == 2
    assert '<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>' in page
    assert page.count('<mtr>') == 2
    assert 'mathjax' not in page.lower()
    (source / 'index.rst').write_text('One\n===\n\n:math:`\\nosuchcommand`\n')
    assert build_main(['-q', '-W', str(source), str(tmp_path / 'site')]) != 0


def test_first_content_is_measured_in_a_browser(load, tmp_path, monkeypatch, capsys):
    first = load('first_content')
    if not any(map(shutil.which, first.BROWSERS)):
        pytest.skip('needs Chromium')
    write_site(tmp_path, index='<html><head></head><body>Hello</body></html>')
    monkeypatch.setattr(sys, 'argv', ['', str(tmp_path), '--visits', '1'])
    first.main()
    out = capsys.readouterr().out
    assert 'First content after' in out
    assert 'the median of 1 visits' in out
    loud = '<html><head></head><body>Hello<script>console.error("no")</script></body>'
    write_site(tmp_path, index=loud)
    with pytest.raises(SystemExit, match='no'):
        first.main()
