import pytest
import torch

from benchmarks.accuracy.task import Task, load_graph
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes


@pytest.fixture(scope='module')
def data():
    return SyntheticMultimodal('tiny')[0]


def test_damage_changes_neither_users_nor_what_may_be_recommended(data):
    plain = Task('tiny', data)
    for variant in ('dropped edges', 'noise edges'):
        task = Task('tiny', data, variant=variant, level='0.5', seed=1)
        assert torch.equal(task.test.users, plain.test.users)
        ones = torch.ones(plain.num_users, plain.num_items)
        known = set(map(tuple, data[INTERACTS].edge_index.t().tolist()))
        ranked = task.test._rank(lambda users, ones=ones: ones[users].clone())
        for user, items in zip(task.test.users.tolist(), ranked.tolist(), strict=True):
            assert not {(user, item) for item in items} & known


def test_features_average_the_nodes_of_an_item():
    data = SyntheticMultimodal('tiny')[0]
    data['text'].x = torch.tensor([[2.0], [4.0], [7.0]])
    data[describes('text')].edge_index = torch.tensor([[0, 1, 2], [5, 5, 0]])
    x = Task('tiny', data).features('text')
    assert x[5].item() == 3.0
    assert x[0].item() == 7.0
    assert x[1].item() == 0.0


def test_halved_features_leave_the_graph_as_it_is(data):
    before = data['text'].x.clone()
    halved = Task('tiny', data, transforms=['bfloat16']).data['text'].x
    assert halved.dtype == torch.bfloat16
    assert torch.equal(halved, before.bfloat16())
    assert torch.equal(data['text'].x, before)


def test_groups_cover_all_users_by_count(data):
    task = Task('tiny', data)
    users = torch.arange(task.num_users)
    count = torch.bincount(task.known[0], minlength=task.num_users)
    groups = task.group_of_users(users)
    assert 2 <= len(set(groups)) <= 4
    for n, group in zip(count.tolist(), groups, strict=True):
        low, _, high = group.partition('-')
        assert int(low) <= n <= int(high or low)


def test_unknown_names_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match='standardize'):
        Task('tiny', data, transforms=['whiten'])
    with pytest.raises(ValueError, match='--data'):
        load_graph('beauty', None, str(tmp_path))
