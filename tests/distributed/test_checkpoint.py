import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from parallel_runs import RESUMED, build, model_inputs, options, train_together
from safetensors import safe_open

from lgmrec_pyg.storage.tensors import load_tensors
from lgmrec_pyg.training import fit

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    script = ROOT / 'tests/parallel_runs.py'
    subprocess.run(
        [sys.executable, '-W', 'ignore', script, folder, 'resume'],
        env=os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        check=True,
        timeout=600,
    )
    return folder


def read(folder, name):
    record = json.loads((folder / f'{name}.json').read_text())
    return record, load_tensors(folder / f'{name}.safetensors')


@pytest.mark.parametrize(('name', 'by', 'other', 'size'), RESUMED)
def test_resumed_runs_end_alike(folder, name, by, other, size):
    for rank in range(2):
        whole, weights = read(folder, f'whole {name} {by} {rank}')
        resumed, own = read(folder, f'resumed {name} {by} {rank}')
        for key in ('losses', 'metrics', 'best_epoch', 'eval_epochs'):
            assert resumed[key] == whole[key]
        assert all(own[key].equal(weight) for key, weight in weights.items())
    for rank in range(size):
        resumed, own = read(folder, f'other {name} {by} {rank}')
        assert resumed['losses'][:2] == whole['losses'][:2]
        for terms, expected in zip(resumed['losses'], whole['losses'], strict=True):
            for term, value in expected.items():
                assert math.isclose(terms[term], value, rel_tol=1e-5), term
        for key, weight in weights.items():
            torch.testing.assert_close(own[key], weight, atol=1e-4, rtol=0)


@pytest.mark.parametrize('by', ['batch', 'columns', 'rows'])
def test_checkpoints_hold_no_pickle_and_each_table_once(folder, by):
    (last,) = (folder / f'paper {by}.safetensors.shards').iterdir()
    assert last.name == '4'
    sizes = {}
    for file in last.iterdir():
        assert file.suffix == '.safetensors'
        with safe_open(file, 'pt') as opened:
            for name in opened.keys():  # noqa: SIM118
                size = math.prod(opened.get_slice(name).get_shape())
                sizes[name] = sizes.get(name, 0) + size
    weights = load_tensors(folder / f'whole paper {by} 0.safetensors')
    for key, weight in weights.items():
        assert sizes[f'model/{key}'] == sizes[f'best/{key}'] == weight.numel()
    assert sum('exp_avg_sq' in name for name in sizes) == len(weights)


@pytest.fixture
def mesh():
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    yield dist.init_device_mesh('cpu', (1,))
    dist.destroy_process_group()


def flip(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize('damage', [flip, Path.unlink])
def test_damaged_parts_are_named(tmp_path, mesh, damage):
    def run(epochs):
        given = {'checkpoint': tmp_path / 'run.safetensors', 'resume': True}
        train_together('no modality', 'rows', mesh, tmp_path, epochs=epochs, **given)

    run(1)
    run(2)
    (part,) = (tmp_path / 'run.safetensors.shards' / '2').iterdir()
    damage(part)
    with pytest.raises(ValueError, match=f"{part.name}' needs to be an undamaged part"):
        run(3)


def test_a_killed_save_leaves_the_checkpoint_of_before(tmp_path, mesh, monkeypatch):
    def run(epochs, folder='', **kwargs):
        folder = tmp_path / folder
        folder.mkdir(exist_ok=True)
        train_together('paper', 'columns', mesh, folder, 'x', epochs=epochs, **kwargs)
        return load_tensors(folder / 'x 0.safetensors')

    given = {'checkpoint': tmp_path / 'run.safetensors', 'resume': True}
    run(1, **given)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('lgmrec_pyg.storage.sharded.save_tensors', die)
        with pytest.raises(KeyboardInterrupt):  # Others could wait for this process.
            run(2, **given)
    shards = tmp_path / 'run.safetensors.shards'
    assert sorted(x.name for x in shards.iterdir()) == ['1', '2']
    weights, expected = run(3, **given), run(3, 'whole')
    assert all(weights[key].equal(x) for key, x in expected.items())
    assert [x.name for x in shards.iterdir()] == ['3']


def test_a_checkpoint_of_one_process_is_no_damage(tmp_path, mesh):
    def alone(epochs, path):
        model, data, sampler, evaluator = build('no modality')
        given = {'checkpoint': tmp_path / path, 'resume': True}
        given |= options('no modality') | {'epochs': epochs}
        fit(model, model_inputs(data), sampler, evaluator, **given)

    def together(epochs, path):
        given = {'checkpoint': tmp_path / path, 'resume': True, 'epochs': epochs}
        train_together('no modality', 'batch', mesh, tmp_path, **given)

    alone(1, 'one')
    message = "'{}' is a checkpoint of training {}, and .* \\(got a run {}\\)"
    ways = 'in one process', "within 'parallel'"
    with pytest.raises(ValueError, match=message.format(tmp_path / 'one', *ways)):
        together(2, 'one')
    together(1, 'shared')
    with pytest.raises(
        ValueError, match=message.format(tmp_path / 'shared', *ways[::-1])
    ):
        alone(2, 'shared')
    alone(2, 'one')
    together(2, 'shared')
