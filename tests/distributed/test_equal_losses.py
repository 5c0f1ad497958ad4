import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel_runs import CASES, build

from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage.tensors import load_tensors

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tests/parallel_runs.py'), folder],
        env=os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        check=True,
        timeout=600,
    )
    return folder


def read(folder, name):
    return json.loads((folder / f'{name}.json').read_text())


@pytest.mark.parametrize(('name', 'by', 'size'), CASES)
def test_losses_are_those_of_one_process(folder, name, by, size):
    alone = read(folder, name)
    weights = load_tensors(folder / f'{name}.safetensors')
    for rank in range(size):
        together = read(folder, f'{name} {by} {size} {rank}')
        for expected, actual in zip(alone['losses'], together['losses'], strict=True):
            for term, value in expected.items():
                assert math.isclose(actual[term], value, rel_tol=1e-5), (rank, term)
        for expected, actual in zip(alone['metrics'], together['metrics'], strict=True):
            assert actual == pytest.approx(expected, abs=1e-6)
        own = load_tensors(folder / f'{name} {by} {size} {rank}.safetensors')
        for key, weight in weights.items():
            torch.testing.assert_close(own[key], weight, atol=1e-4, rtol=0)


@pytest.mark.parametrize(('name', 'by', 'size'), CASES)
def test_processes_agree_to_the_bit(folder, name, by, size):
    first, *others = (
        load_tensors(folder / f'{name} {by} {size} {rank}.safetensors')
        for rank in range(size)
    )
    for other in others:
        assert all(other[key].equal(weight) for key, weight in first.items())


@pytest.mark.parametrize('size', [2, 4])
@pytest.mark.parametrize('by', ['columns', 'rows'])
def test_tables_are_a_part(folder, by, size):
    for rank in range(size):
        own, whole = read(folder, f'paper {by} {size} {rank}')['sizes']
        assert own <= 1.1 * whole / size


@pytest.mark.parametrize('by', ['batch', 'columns', 'rows'])
def test_every_process_exports_its_users(folder, by):
    size = 2
    model, data, _, _ = build('recommended')
    model.load_state_dict(
        load_tensors(folder / f'recommended {by} {size} 0.safetensors')
    )
    whole = Recommender.from_model(model, data)
    users = []
    for rank in range(size):
        own = Recommender.load(folder / f'recommended {by} {size} {rank}.emb')
        users += own.users.ids
        rows = torch.tensor([whole.users.ids.index(user) for user in own.users.ids])
        # By columns, embeddings side by side come in another order of columns.
        scores = own.user_emb @ own.item_emb.t()
        torch.testing.assert_close(scores, whole.user_emb[rows] @ whole.item_emb.t())
        assert own.items.ids == whole.items.ids
        for user in own.users.ids[::10]:
            assert own.recommend(user, k=5).ids == whole.recommend(user, k=5).ids
    assert users == whole.users.ids
