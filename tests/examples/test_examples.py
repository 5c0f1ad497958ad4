import json
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lgmrec_pyg.storage import load_model

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / 'examples'


def run(script, *args):
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    return subprocess.run(
        [sys.executable, '-W', 'ignore', str(EXAMPLES / script), *args],
        env=os.environ | {'PYTHONPATH': path},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )


@pytest.fixture
def run_here(monkeypatch, capfd):
    r"""Runs an example in this process, which saves the imports."""

    def run_path(script, *args):
        monkeypatch.setattr(sys, 'argv', [script, *args])
        variables = runpy.run_path(str(EXAMPLES / script), run_name='__main__')
        return variables, *capfd.readouterr()

    return run_path


def write_layout(folder):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = ['userID\titemID\tx_label']
    for user in range(30):
        items = rng.permutation(12)[:6]
        labels = [0, 0, 0, 0, 1, 2]
        lines += [f'{user}\t{i}\t{x}' for i, x in zip(items, labels, strict=True)]
    (folder / f'{folder.name}.inter').write_text('\n'.join(lines) + '\n')
    for modality, dim in [('image', 7), ('text', 5)]:
        x = 100 * rng.standard_normal((12, dim)).astype(np.float32)
        np.save(folder / f'{modality}_feat.npy', x)


def test_amazon_baby_on_synthetic_data(tmp_path):
    path = tmp_path / 'run.json'
    out = run(
        'amazon_baby.py',
        *['--preset', 'tiny', '--epochs', '2', '--num-hyperedges', '3'],
        *['--output', str(tmp_path / 'out'), '--json', str(path)],
        *['--report', str(tmp_path / 'report.html')],
    )
    assert '2/2' in out.stderr
    assert 'Popularity' in out.stdout
    record = json.loads(path.read_text())
    assert record['dataset']['num_users'] == 100
    assert record['settings']['num_hyperedges'] == 3
    assert record['settings']['num_modality_layers'] == 2
    assert record['settings']['standardize'] is True
    assert record['epochs_run'] == 2
    assert record['best_epoch'] in [1, 2]
    for split in ['validation', 'test']:
        assert len(record[split]) == 16
        assert 0 < record[split]['Recall@50'] <= 1
    seconds = record['seconds']
    assert 0 < seconds['train'] + seconds['eval'] + seconds['setup'] <= seconds['total']
    assert record['peak_memory_bytes']['resident'] > 2**25
    has_page = find_spec('altair') is not None and find_spec('vl_convert') is not None
    assert (tmp_path / 'report.html').exists() == has_page
    figure = tmp_path / 'out' / 'learning_curves_synthetic.png'
    assert figure.exists() == (find_spec('matplotlib') is not None)


@pytest.mark.parametrize('modalities', [None, ['text'], ['text', 'image'], []])
def test_amazon_baby_on_files_in_the_layout(tmp_path, run_here, modalities):
    write_layout(tmp_path / 'data' / 'clothing')
    args = [] if modalities is None else ['--modalities', *modalities]
    variables, stdout, stderr = run_here(
        'amazon_baby.py',
        *['--data', 'clothing', '--root', str(tmp_path / 'data'), *args],
        *['--processed-dir', str(tmp_path / 'processed'), '--precision', 'bfloat16'],
        *['--epochs', '1', '--no-progress', '--json', str(tmp_path / 'run.json')],
        *['--output', str(tmp_path / 'out')],
    )
    settings = json.loads((tmp_path / 'run.json').read_text())['settings']
    assert list(variables['model'].feature_dims) == settings['modalities']
    expected = ['image', 'text'] if modalities is None else modalities
    assert settings['modalities'] == expected
    assert (settings['num_hyperedges'], settings['dropout']) == (64, 0.8)
    assert settings['standardize'] is False
    assert ('Consider --standardize' in stdout) == bool(expected)
    assert 'Guo et al., AAAI 2024' in stdout
    assert 'it/s' not in stderr


def test_amazon_baby_on_a_folder_is_reproducible(tmp_path, run_here):
    write_layout(tmp_path / 'mine')
    args = ['--data', str(tmp_path / 'mine'), '--output', str(tmp_path)]
    args += ['--standardize', '--epochs', '2', '--seed']
    losses = [
        run_here('amazon_baby.py', *args, seed)[0]['history'].losses
        for seed in ['7', '7', '8']
    ]
    assert losses[0] == losses[1] != losses[2]


def test_amazon_baby_names_an_unknown_modality(run_here):
    with pytest.raises(SystemExit, match=r"from \['image', 'text'\] \(got \['smell'"):
        run_here('amazon_baby.py', '--preset', 'tiny', '--modalities', 'smell')


def test_amazon_baby_resumes_to_the_same_result(tmp_path, run_here):
    args = ['--preset', 'tiny', '--recommended', '--output', str(tmp_path)]
    whole, *_ = run_here('amazon_baby.py', *args, '--epochs', '4')
    args += ['--checkpoint', str(tmp_path / 'run.safetensors')]
    run_here('amazon_baby.py', *args, '--epochs', '2')
    args += ['--resume', '--save', str(tmp_path / 'model'), '--epochs', '4']
    resumed, *_ = run_here('amazon_baby.py', *args)
    assert resumed['history'].losses == whole['history'].losses
    assert resumed['test_metrics'] == whole['test_metrics']
    other, *_ = run_here('amazon_baby.py', *args, '--seed', '3')
    assert other['history'].losses == whole['history'].losses
    assert other['args'].seed == 0  # That of what it continued.
    assert whole['model'].settings['ranking_loss'] == 'softmax'
    assert whole['args'].lr == 5e-3
    model = load_model(tmp_path / 'model', data=whole['data'])
    for name, weight in model.state_dict().items():
        assert weight.equal(whole['model'].state_dict()[name])


def test_amazon_baby_says_how_to_resume(tmp_path, run_here, capfd):
    path = tmp_path / 'run.safetensors'
    path.write_text('')
    for args, hint in {
        ('--checkpoint', str(path)): "run.safetensors' exists: pass --resume to",
        ('--resume',): '--resume needs --checkpoint, the path of a file',
    }.items():
        with pytest.raises(SystemExit):
            run_here('amazon_baby.py', *args)
        assert hint in capfd.readouterr().err


def test_amazon_baby_without_files_fills_one_screen(tmp_path, run_here, monkeypatch):
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)
    with pytest.raises(SystemExit) as error:
        run_here('amazon_baby.py', '--data', 'baby', '--root', str(tmp_path))
    message = str(error.value)
    assert 'pip install sentence-transformers' in message
    assert str(tmp_path / 'baby') in message
    assert len(message.splitlines()) < 24


def test_own_data(tmp_path, run_here):
    pytest.importorskip('pyarrow')
    args = ['--output', str(tmp_path), '--epochs', '1']
    variables, stdout, _ = run_here('own_data.py', *args)
    assert 'customer-0000  sku-' in stdout
    everyone = pd.read_parquet(tmp_path / 'top20.parquet')
    user = everyone['user'].iloc[-1]
    ids, scores = variables['recommender'].recommend(user, k=20)
    assert everyone['item'].iloc[-20:].tolist() == ids
    assert everyone['score'].iloc[-20:].tolist() == pytest.approx(scores, abs=1e-6)
    load_model(tmp_path / 'model', data=variables['data'])


def test_own_data_needs_interactions_for_features(run_here):
    with pytest.raises(SystemExit):
        run_here('own_data.py', '--features', 'folder')


def test_gated_hypergraph(run_here):
    variables, stdout, _ = run_here(
        'gated_hypergraph.py', '--preset', 'tiny', '--epochs', '1'
    )
    assert 'GatedHypergraph(' in stdout
    assert 0 < variables['metrics']['Recall@20'] < 1
    source = (EXAMPLES / 'gated_hypergraph.py').read_text()
    assert len(source.splitlines()) < 80


def test_compare_models(run_here):
    models = ['FREEDOM', 'BM3', 'LGMRec']
    args = ('--preset', 'tiny', '--epochs', '2', '--models', *models)
    _, stdout, _ = run_here('compare_models.py', *args)
    rows = [line.split() for line in stdout.splitlines()]
    names = [(m, x) for m in models for x in ('published', 'softmax')]
    assert [tuple(row[:2]) for row in rows[1:]] == [*names, ('LGMRec', 'recommended')]
    recalls = [float(row[2]) for row in rows[1:]]
    assert all(0 < recall < 1 for recall in recalls)
    assert len(set(recalls[-3:])) == 3


def test_search_prunes_and_continues(tmp_path, run_here):
    pytest.importorskip('optuna')
    args = ['--preset', 'tiny', '--epochs', '4', '--trials', '8']
    args += ['--storage', f'sqlite:///{tmp_path}/search.db']
    variables, stdout, _ = run_here('search.py', *args)
    trials, pruned = variables['study'].trials, variables['pruned']
    assert len(trials) == 8
    assert 0 < len(pruned) < 6
    assert f'8 trials, of which {len(pruned)} were pruned' in stdout
    for trial in trials:
        reported = list(trial.intermediate_values.values())
        if trial in pruned:
            assert 2 <= len(reported) <= 4
        else:
            assert trial.value == max(reported)
    finished = [trial for trial in trials if trial not in pruned]
    assert len({trial.value for trial in finished}) == len(finished)
    best = max(trial.value for trial in finished)
    assert f'validation: {best:.4f}' in stdout
    variables, *_ = run_here('search.py', *args[:-3], '1', *args[-2:])
    assert len(variables['study'].trials) == 9
