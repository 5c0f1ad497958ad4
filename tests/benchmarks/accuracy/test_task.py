import pytest
import torch

from benchmarks.accuracy.judge import rank
from benchmarks.accuracy.task import Task, digest
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS


@pytest.fixture(scope='module')
def data():
    return SyntheticMultimodal('tiny')[0]


def test_damage_changes_neither_users_nor_what_may_be_recommended(data):
    plain = Task(data)
    for variant in ('dropped edges', 'noise edges'):
        task = Task(data, variant=variant, level='0.5', seed=1)
        assert torch.equal(task.test.users, plain.test.users)
        ones = torch.ones(plain.num_users, plain.num_items)
        known = set(map(tuple, data[INTERACTS].edge_index.t().tolist()))
        ranked = rank(task.test, lambda users, ones=ones: ones[users].clone())
        for user, items in zip(task.test.users.tolist(), ranked.tolist(), strict=True):
            assert not {(user, item) for item in items} & known


def test_halved_features_leave_the_graph_as_it_is(data):
    before = data['text'].x.clone()
    halved = Task(data, transforms=['bfloat16']).data['text'].x
    assert halved.dtype == torch.bfloat16
    assert torch.equal(halved, before.bfloat16())
    assert torch.equal(data['text'].x, before)


def test_permutation_deals_features_to_other_items(data):
    task = Task(data)
    x_dict, _ = task.permuted('text', torch.Generator().manual_seed(0))
    before = data['text'].x
    assert not torch.equal(x_dict['text'], before)
    assert torch.equal(x_dict['text'].sort(dim=0).values, before.sort(dim=0).values)
    assert torch.equal(x_dict['image'], data['image'].x)
    assert torch.equal(task.inputs[0]['text'], before)


def test_digests_tell_data_apart(data):
    assert digest(data) == digest(SyntheticMultimodal('tiny')[0])
    other = SyntheticMultimodal('tiny')[0]
    order = torch.randperm(other[INTERACTS].num_edges)
    other[INTERACTS].edge_index = other[INTERACTS].edge_index[:, order]
    assert digest(other) == digest(data)
    other['text'].x = 2 * other['text'].x
    assert digest(other) != digest(data)
    fewer = SyntheticMultimodal('tiny')[0]
    fewer[INTERACTS].edge_index = fewer[INTERACTS].edge_index[:, 1:]
    assert digest(fewer) != digest(data)
