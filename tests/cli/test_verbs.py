r"""Every verb on built-in data, through what the command calls."""

import importlib.metadata
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pandas as pd
import pytest
import torch

pytest.importorskip('typer')
from lgmrec_pyg import __version__
from lgmrec_pyg.__main__ import main
from lgmrec_pyg.datasets import SyntheticMultimodal, save_item_features
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, describes, modalities
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.reporting import Run

ROOT = Path(__file__).parents[2]
VERBS = ['fit', 'evaluate', 'recommend', 'similar', 'export', 'report', 'serve', 'info']


def lgmrec(*args):
    r"""The exit code of the command, in this process, which saves the imports."""
    before, sys.argv = sys.argv, ['lgmrec', *map(str, args)]
    try:
        main()
    except SystemExit as error:
        return error.code or 0
    finally:
        sys.argv = before
    return 0


def environment():
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    return os.environ | {'PYTHONPATH': path}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp('cli') / 'run'
    options = ['--epochs', 2, '--no-progress']
    assert lgmrec('fit', 'synthetic-tiny', '--out', path, *options) == 0
    return path


@pytest.fixture(scope='module')
def shop(tmp_path_factory):
    r"""Built-in data the way a shop would have it, with ids that are strings."""
    folder = tmp_path_factory.mktemp('shop')
    data = SyntheticMultimodal('tiny')[0]
    items = [f'sku-{i}' for i in range(80)]
    features = {
        name: ([items[i] for i in data[describes(name)].edge_index[1]], data[name].x)
        for name in modalities(data)
    }
    save_item_features(folder / 'features', features)
    user, item = data[INTERACTS].edge_index.tolist()
    frame = pd.DataFrame({'who': [f'u{i}' for i in user]})
    frame['what'] = [items[i] for i in item]
    frame['stars'] = [1 + (u + i) % 5 for u, i in zip(user, item, strict=True)]
    frame.to_csv(folder / 'clicks.csv', index=False)
    titles = pd.DataFrame({'what': items, 'title': [f'<b>{x}</b>' for x in items]})
    titles.to_csv(folder / 'items.csv', index=False)
    return folder


def test_the_command_in_a_process_of_its_own(tmp_path):
    options = {'env': environment(), 'cwd': tmp_path, 'text': True}
    command = [sys.executable, '-m', 'lgmrec_pyg']
    out = subprocess.run([*command, '--help'], capture_output=True, **options)
    assert out.returncode == 0
    assert all(f' {verb} ' in out.stdout for verb in VERBS)
    out = subprocess.run([*command, 'evaluate', 'none'], capture_output=True, **options)
    assert out.returncode == 1
    assert out.stderr.startswith('Error: ')
    assert 'none/run.json' in out.stderr
    assert 'Traceback' not in out.stderr


def test_the_command_is_installed():
    scripts = importlib.metadata.entry_points(group='console_scripts', name='lgmrec')
    if not scripts:
        pytest.skip('the package was installed before it had a command')
    assert next(iter(scripts)).load() is main


@pytest.mark.parametrize('verb', VERBS)
def test_help_has_an_example(verb, capsys):
    assert lgmrec(verb, '--help') == 0
    assert f' lgmrec {verb}' in capsys.readouterr().out


def test_fit_saves_a_run(run):
    files = 'card.json embeddings.safetensors graph.safetensors model.safetensors'
    assert sorted(x.name for x in run.iterdir()) == [*files.split(), 'run.json']
    record = json.loads((run / 'run.json').read_text())
    assert (record['dataset']['name'], record['epochs_run']) == ('synthetic-tiny', 2)
    assert record['settings']['seed'] == 0
    out = Run.load(run)
    metrics = Evaluator.from_data(out.data)(*out.embeddings)
    assert metrics == pytest.approx(record['test'])


def test_fit_is_reproducible_and_takes_its_options(run, tmp_path, capsys):
    def fit(out, *args):
        options = ['--epochs', 2, '--no-progress', '--out', tmp_path / out, *args]
        assert lgmrec('fit', 'synthetic-tiny', *options) == 0
        return Run.load(tmp_path / out)

    again, other = fit('again'), fit('other', '--seed', 1)
    weights = [
        x.state_dict()['user_embedding.weight'] for x in (again.model, other.model)
    ]
    expected = Run.load(run).model.state_dict()['user_embedding.weight']
    assert torch.equal(weights[0], expected)
    assert not torch.equal(weights[1], expected)
    freedom = fit('x', '--model', 'FREEDOM', '--preset', 'paper', '--embedding-dim', 8)
    assert type(freedom.model).__name__ == 'FREEDOM'
    assert freedom.model.settings['ranking_loss'] == 'bpr'
    assert freedom.embeddings[0].shape == (100, 8)
    assert 'FREEDOM' in capsys.readouterr().out


def test_fit_on_files(shop, tmp_path):
    args = ['--user', 'who', '--item', 'what', '--rating', 'stars', '--min-rating', 3]
    args += ['--k-core', 2, '--split', 'leave_one_out', '--features', shop / 'features']
    args += ['--catalogue', shop / 'items.csv', '--out', tmp_path, '--epochs', 1]
    assert lgmrec('fit', shop / 'clicks.csv', *args, '--no-progress') == 0
    out, frame = Run.load(tmp_path), pd.read_csv(shop / 'clicks.csv')
    pairs = out.recommender.seen.size(1)
    assert 0 < pairs <= (frame['stars'] >= 3).sum() < len(frame)
    assert set(out.recommender.users.ids) <= set(frame['who'])
    assert modalities(out.data) == ['image', 'text']
    assert out.catalogue['sku-3'].title == '<b>sku-3</b>'
    tested = out.data[INTERACTS].test_edge_label_index[0]
    assert 50 < tested.numel() == tested.unique().numel()


def test_evaluate(run, capsys):
    assert lgmrec('evaluate', run, '-k', 5, '-k', 20) == 0
    header, _, row, popular = capsys.readouterr().out.splitlines()
    assert header.split()[2:] == ['Recall@5', 'Recall@20', 'NDCG@5', 'NDCG@20']
    record = json.loads((run / 'run.json').read_text())
    expected = [f'{record["test"][x]:.4f}' for x in header.split()[2:]]
    assert row.split()[-4:] == expected
    assert popular.startswith('Popularity')


def test_recommend(run, capsys):
    known = Recommender.load(run / 'embeddings.safetensors')
    assert lgmrec('recommend', run, '--user', 3, '-k', 4, '--format', 'json') == 0
    found = json.loads(capsys.readouterr().out)
    assert [x['item'] for x in found] == known.recommend(3, k=4).ids
    assert lgmrec('recommend', run, '--user', 3, '--user', 5, '--format', 'csv') == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert frame['user'].tolist() == 10 * [3] + 10 * [5]
    assert frame['item'][10:].tolist() == known.recommend(5, k=10).ids
    assert lgmrec('recommend', run, '--history', 7, '--history', 9, '-k', 1) == 0
    expected = known.recommend_history([7, 9], k=1).ids[0]
    assert capsys.readouterr().out.split()[-3] == str(expected)


def test_similar(run, capsys):
    known = Recommender.load(run / 'embeddings.safetensors')
    assert lgmrec('similar', run, '--item', 8, '-k', 3) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [int(row[1]) for row in rows] == known.similar_items(8, k=3).ids


def test_export(run, tmp_path):
    pytest.importorskip('pyarrow')
    assert lgmrec('export', run, tmp_path / 'top20.parquet') == 0
    frame = pd.read_parquet(tmp_path / 'top20.parquet')
    known = Recommender.load(run / 'embeddings.safetensors')
    assert len(frame) == 20 * len(known.users)
    assert frame[frame['user'] == 42]['item'].tolist() == known.recommend(42).ids


def test_report(run, tmp_path):
    pytest.importorskip('vl_convert')
    assert lgmrec('report', run) == 0
    assert '<h1>run</h1>' in (run / 'report.html').read_text()
    (run / 'report.html').unlink()
    out = tmp_path / 'compare.html'
    assert lgmrec('report', run, run, '--out', out) == 0
    assert '<h1>run (1) / run (2)</h1>' in out.read_text()


def test_serve(run, tmp_path):
    pytest.importorskip('fastapi')
    pytest.importorskip('uvicorn')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-m', 'lgmrec_pyg', 'serve', str(run), '--port']
    with (
        open(tmp_path / 'log', 'w') as log,
        subprocess.Popen(
            [*command, str(port)], env=environment(), stderr=log
        ) as server,
    ):
        try:
            assert is_up(port, server), (tmp_path / 'log').read_text()
        finally:
            server.terminate()


def is_up(port, server):
    while server.poll() is None:
        try:
            return urlopen(f'http://127.0.0.1:{port}/health').status == 200
        except URLError:
            time.sleep(0.2)
    return False


def test_info(capsys):
    assert lgmrec('info') == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows['lgmrec_pyg'] == __version__
    assert rows['threads'] == str(torch.get_num_threads())
    assert rows['torch'].startswith(torch.__version__.split('+')[0])
    assert rows['kernels'].startswith(('C++', 'not built'))
    assert lgmrec('--version') == 0
    assert capsys.readouterr().out.strip() == __version__


def test_a_run_is_not_replaced_unless_asked_for(run, capsys):
    before = (run / 'run.json').read_text()
    args = ['fit', 'synthetic-tiny', '--out', run, '--epochs', 2, '--no-progress']
    assert lgmrec(*args) == 2
    assert '--overwrite' in capsys.readouterr().err
    assert (run / 'run.json').read_text() == before
    assert lgmrec(*args, '--overwrite') == 0
    assert (run / 'run.json').read_text() != before
    before = (run / 'run.json').read_text()
    assert lgmrec('fit', 'typo.csv', '--out', run, '--overwrite') == 1
    assert (run / 'run.json').read_text() == before


def test_another_run_has_no_titles_of_the_old_one(shop, tmp_path):
    args = ['--user', 'who', '--item', 'what', '--out', tmp_path, '--epochs', 1]
    args = ['fit', shop / 'clicks.csv', *args, '--no-progress']
    assert lgmrec(*args, '--catalogue', shop / 'items.csv') == 0
    assert len(Run.load(tmp_path).catalogue) == 80
    assert lgmrec(*args, '--overwrite') == 0
    assert len(Run.load(tmp_path).catalogue) == 0


def test_a_killed_run_is_resumed(tmp_path, capsys, monkeypatch):
    args = ['fit', 'synthetic-tiny', '--no-progress', '--epochs', 3]
    assert lgmrec(*args, '--out', tmp_path / 'whole') == 0

    def die(*args, **kwargs):
        raise OSError('killed')

    monkeypatch.setattr(Run, 'save', die)
    killed = tmp_path / 'killed'
    assert lgmrec(*args[:-1], 2, '--out', killed) == 1
    monkeypatch.undo()
    assert lgmrec(*args, '--out', killed) == 2
    assert '--resume' in capsys.readouterr().err
    assert lgmrec(*args, '--out', killed, '--resume') == 0
    a, b = (Run.load(tmp_path / x) for x in ('whole', 'killed'))
    assert torch.equal(a.embeddings[0], b.embeddings[0])
    assert not (killed / 'checkpoint.safetensors').exists()


WRONG = {
    'no such file': (1, ['fit', 'clicks.csv'], "'clicks.csv' needs to be a table"),
    'column': (2, ['fit', 'clicks.csv', '--user', 'x'], 'that the option --user names'),
    'model': (2, ['fit', 'synthetic-tiny', '--model', 'X'], "one of ['LGMRec', "),
    'preset': (2, ['fit', 'synthetic-tiny', '--preset', 'X'], "'preset' needs to be"),
    'epochs': (2, ['fit', 'synthetic-tiny', '--epochs', '0'], "'epochs' needs to be"),
    'number': (2, ['fit', 'synthetic-tiny', '--epochs', 'x'], "'--epochs'"),
    'features': (2, ['fit', 'synthetic', '--features', 'x'], 'needs a table'),
    'option': (2, ['fit', 'synthetic', '--k-core', '5'], "'--k-core' needs a table"),
    'no run': (1, ['recommend', 'none', '--user', '1'], 'none/embeddings.safetensors'),
    'user': (2, ['recommend', 'RUN', '--user', '777'], 'unknown'),
    'text as user': (2, ['recommend', 'RUN', '--user', 'x'], "'--user' needs to be an"),
    'neither': (2, ['recommend', 'RUN'], "One of '--user' and '--history'"),
    'item': (2, ['similar', 'RUN', '--item', '777'], 'unknown'),
    'length': (2, ['similar', 'RUN', '--item', '7', '-k', '0'], "'k' needs to be"),
    'split': (2, ['evaluate', 'RUN', '--split', 'x'], 'x_edge_label_index'),
    'ending': (2, ['export', 'RUN', 'top.csv'], 'needs to end in one of'),
    'unknown verb': (2, ['fitt'], 'fitt'),
}


@pytest.mark.parametrize('name', WRONG)
def test_errors_are_messages(run, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    code, args, message = WRONG[name]
    if name == 'column':
        (tmp_path / 'clicks.csv').write_text('who,item_id\na,b\n')
    args = [str(run) if x == 'RUN' else x for x in args]
    assert lgmrec(*args) == code
    err = capsys.readouterr().err
    assert message in err
    assert 'Traceback' not in err


def test_packages_that_are_missing_are_named(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'altair', None)
    assert lgmrec('report', run) == 1
    assert "pip install 'lgmrec_pyg[report]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, 'uvicorn', None)
    assert lgmrec('serve', run) == 1
    assert "pip install 'lgmrec_pyg[serve]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, 'typer', None)
    for name in [x for x in sys.modules if x.startswith('lgmrec_pyg.cli')]:
        monkeypatch.delitem(sys.modules, name)
    assert (
        lgmrec('info')
        == "The command line needs 'typer': pip install 'lgmrec_pyg[cli]'"
    )
