import math

import pytest
import torch

from benchmarks.accuracy.cold import WEIGHTS, by_weight, judge_cold, where_kept
from benchmarks.accuracy.judge import embedding_scorer
from benchmarks.accuracy.task import Source, Task
from lgmrec_pyg.graph import INTERACTS


@pytest.fixture(scope='module')
def data():
    return Source({}, '').load('synthetic-tiny')


def oracle(task):
    r"""Scores that know the pairs of all splits, marked items first."""
    store = task.data[INTERACTS]
    score = torch.zeros(task.num_users, task.num_items)
    score += 2 * task.data['item'].cold
    for name in ('cold_edge_label_index', 'test_edge_label_index'):
        score[tuple(store[name])] += 1
    return score


def test_marked_items_on_top_are_all_found_and_take_the_places_of_others(data):
    task = Task(data, variant='cold items', level='0.1', seed=1)
    score = oracle(task)
    out = judge_cold(task, lambda users: score[users].clone())
    assert out['items'] == int(task.data['item'].cold.sum())
    assert out['among all'] == out['among cold']
    assert out['warm'] <= out['among warm']
    low = judge_cold(task, lambda users: score[users] - 9 * task.data['item'].cold)
    assert low['among all'] == 0
    assert low['share'] == 0
    assert low['warm'] == low['among warm'] == out['among warm']


def test_trained_items_keep_their_pairs_and_are_judged_by_those_of_the_test(data):
    task = Task(data, variant='trained items', level='0.1', seed=1)
    cold = Task(data, variant='cold items', level='0.1', seed=1)
    assert torch.equal(task.data['item'].cold, cold.data['item'].cold)
    assert torch.equal(task.train, data[INTERACTS].edge_index)
    score = oracle(task)
    out = judge_cold(task, lambda users: score[users].clone())
    assert out['test pairs'] == out['among all'] > 0


@pytest.mark.parametrize('variant', ['cold items', 'trained items'])
def test_a_smaller_weight_leaves_more_to_others(data, variant):
    torch.manual_seed(0)
    task = Task(data, variant=variant, level='0.1', seed=1)
    user, item = torch.rand(task.num_users, 8), torch.rand(task.num_items, 8)
    out = by_weight(task, user, item)
    assert list(out) == [str(weight) for weight in WEIGHTS]
    shares = [x['share'] for x in out.values()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]
    warm = [x['warm'] for x in out.values()]
    assert warm == sorted(warm)
    if variant == 'trained items':  # At a weight of one, all is as it was.
        unchanged = judge_cold(task, embedding_scorer(user, item))
        assert out['1.0'] == unchanged


def test_between_two_weights_the_value_is_interpolated():
    found = {
        '1.0': {'warm': 0.94, 'among warm': 1.0, 'x': 0.5},
        '0.8': {'warm': 0.97, 'among warm': 1.0, 'x': 0.4},
        '0.6': {'warm': 0.99, 'among warm': 1.0, 'x': 0.2},
    }
    assert where_kept(found, 'x') == pytest.approx(0.3)
    del found['0.6']
    assert math.isnan(where_kept(found, 'x'))
