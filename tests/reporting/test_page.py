import json
import re
from html.parser import HTMLParser

import pytest
import torch
from browser import browse
from finished_runs import finished_run, planted_run

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.reporting import Catalogue, report
from lgmrec_pyg.reporting.accuracy import judge, popularity
from lgmrec_pyg.reporting.catalogue import Entry

pytest.importorskip('altair')
pytest.importorskip('vl_convert')
Image = pytest.importorskip('PIL.Image')

ATTACK = '</script><script>console.error("hacked")</script><img src=x onerror=alert(1)>'


CHART = r'<svg[^>]* class="marks"'


class Document(HTMLParser):
    r"""The text, the tags and the data of charts of a page."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags, self.charts, self.last = [], [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.last = (tag, dict(attributes))
        self.tags.append(self.last)

    def handle_endtag(self, tag):
        self.last = None

    def handle_data(self, text):
        if self.last == ('script', {'type': 'application/json'}):
            self.charts.append(json.loads(text))
        elif self.last is None or self.last[0] not in ('script', 'style'):
            self.text.append(text.strip())


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    r"""A run with hostile titles and pictures, another one, and pages about them."""
    path = tmp_path_factory.mktemp('pages')
    Image.new('RGB', (200, 100), (0, 120, 0)).save(path / 'green.png')
    ids = [f'sku {i} {ATTACK}' if i % 9 == 0 else f'sku {i}' for i in range(80)]
    entries = [Entry(x, f'Title of {x}', str(path / 'green.png')) for x in ids[::2]]
    catalogue = Catalogue(entries)
    first = finished_run(
        preset='paper', name=f'a {ATTACK}', ids=ids, catalogue=catalogue
    )
    first.record['settings']['note'] = ATTACK
    second = finished_run('FREEDOM', name='b', ids=ids)
    report(first, path / 'one.html')
    report([first, second], path / 'two.html')
    return path, first, second


def test_the_page_has_the_numbers(folder):
    path, first, _ = folder
    text = ' '.join(Document((path / 'one.html').read_text()).text)
    expected = judge(first.data, first.embeddings).users['Recall@20']
    assert f'{expected.mean():.4f}' in text
    popular = judge(first.data, popularity(first.data)).users['Recall@20']
    assert f'{popular.mean():.4f}' in text
    assert f'{(expected - popular).mean():+.4f}' in text
    assert f'{first.data[INTERACTS].edge_index.size(1):,}' in text
    assert 'ranking_loss' in text
    assert 'hyperedges, users spread as if over' in text


def test_the_page_needs_no_other_file(folder):
    path, *_ = folder
    for name in ('one.html', 'two.html'):
        html = (path / name).read_text()
        assert len(html) < 1.5e6
        tags = Document(html).tags
        links = [x.get('src') or x.get('href') for _, x in tags]
        assert all(x.startswith(('data:image/jpeg;base64,', '#')) for x in links if x)
        assert not [tag for tag, _ in tags if tag in ('link', 'iframe', 'object')]
        assert "default-src 'none'" in html


def test_whatever_comes_from_files_is_text(folder):
    path, *_ = folder
    document = Document((path / 'two.html').read_text())
    images = [x['src'] for tag, x in document.tags if tag == 'img']
    assert images
    assert not [x for _, x in document.tags if 'onerror' in x]
    assert sum(tag == 'script' for tag, _ in document.tags) == len(document.charts) + 2
    assert any(ATTACK in text for text in document.text)
    assert ATTACK in json.dumps(document.charts)[1:].replace('\\"', '"')


def test_charts_hold_what_was_computed(folder):
    path, first, _ = folder
    charts = Document((path / 'one.html').read_text()).charts
    means = [
        x['mean'] for x in charts[0]['data']['values'] if x['series'] == first.name
    ]
    users = judge(first.data, first.embeddings).users
    assert sorted(means) == pytest.approx(sorted(users.mean()), abs=1e-6)
    curves = [x for x in charts if 'training loss: total' in str(x.get('title'))]
    losses = [x['value'] for x in curves[0]['data']['values']]
    assert losses == pytest.approx([x['total'] for x in first.history.losses])


def test_runs_are_compared_by_the_same_users(folder):
    path, first, second = folder
    text = ' '.join(Document((path / 'two.html').read_text()).text)
    a, b = (judge(x.data, x.embeddings).users['Recall@20'] for x in (first, second))
    assert f'{(b - a).mean():+.4f}' in text
    assert 'Shaded where runs differ' in text
    assert text.count('Popularity') < 8  # Of the same data, once.


def test_published_numbers_stand_beside_their_data(tmp_path):
    run = finished_run('LightGCN', epochs=1)
    run.record['dataset']['name'] = 'baby'
    report(run, tmp_path / 'x.html')
    text = ' '.join(Document((tmp_path / 'x.html').read_text()).text)
    assert 'Guo et al., AAAI 2024' in text
    assert '0.1002' in text


@pytest.mark.parametrize('name', ['one.html', 'two.html'])
@pytest.mark.parametrize('flags', [(), ('--force-dark-mode', '--window-size=390,800')])
def test_in_a_browser(folder, tmp_path, name, flags):
    path, *_ = folder
    count = len(Document((path / name).read_text()).charts)
    page = browse(path / name, tmp_path / 'profile', *flags)
    assert page.console == []
    assert len(re.findall(CHART, page.dom)) == count >= 10
    assert len(re.findall(r'class="mark-(?:symbol|line|rect|rule)', page.dom)) >= count
    assert 'hacked' not in ''.join(page.console)


def test_the_browser_sees_errors(tmp_path):
    (tmp_path / 'x.html').write_text('<script>console.error("seen")</script>')
    page = browse(tmp_path / 'x.html', tmp_path / 'profile')
    assert len(page.console) == 1


def test_runs_without_withheld_pairs_hyperedges_or_epochs(tmp_path):
    run = planted_run()
    run.record = finished_run('LightGCN', epochs=1).record
    run.record['history'] |= {'losses': [], 'metrics': [], 'eval_epochs': []}
    run.record['history'] |= {'train_seconds': [], 'eval_seconds': [], 'best_epoch': 0}
    run.record['history']['epochs_run'] = 0
    run.model.settings = {}
    run.data[INTERACTS].test_edge_label_index = torch.empty(2, 0, dtype=torch.long)
    report(run, tmp_path / 'x.html')
    document = Document((tmp_path / 'x.html').read_text())
    assert 'no withheld pairs' in ' '.join(document.text)
    assert 'What hyperedges hold' not in document.text
    page = browse(tmp_path / 'x.html', tmp_path / 'profile')
    assert page.console == []
    assert len(re.findall(CHART, page.dom)) == len(document.charts)
