import pytest
import torch

from benchmarks.accuracy.corruptions import corrupt
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes, validate_graph


@pytest.fixture(scope='module')
def data():
    return SyntheticMultimodal('tiny')[0]


def keys(pairs: torch.Tensor) -> set[tuple[int, int]]:
    return set(map(tuple, pairs.t().tolist()))


@pytest.mark.parametrize(
    ('name', 'level'),
    [
        ('missing features', '0.5'),
        ('random modality', 'all'),
        ('noise edges', '0.3'),
        ('dropped edges', '0.3'),
        ('cold items', '0.1'),
    ],
)
def test_corrupted_graphs_are_valid_and_repeatable(data, name, level):
    before = {k: v.clone() for k, v in data.x_dict.items()}
    edges = data[INTERACTS].edge_index.clone()
    first, again = corrupt(data, name, level, 1), corrupt(data, name, level, 1)
    other = corrupt(data, name, level, 2)
    validate_graph(first)
    assert state(first) == state(again) != state(other)
    assert torch.equal(data[INTERACTS].edge_index, edges)
    assert all(torch.equal(data[k].x, v) for k, v in before.items())


def state(data) -> list:
    parts = [data[INTERACTS].edge_index.tolist()]
    parts += [data[m].x.tolist() for m in ('image', 'text')]
    return parts + [data[describes(m)].edge_index.tolist() for m in ('image', 'text')]


def test_missing_features_keep_those_of_other_items(data):
    out = corrupt(data, 'missing features', '0.5', 0)
    lost = None
    for name in ('image', 'text'):
        node, item = out[describes(name)].edge_index
        old_node, old_item = data[describes(name)].edge_index
        row = {int(i): data[name].x[n] for n, i in zip(old_node, old_item, strict=True)}
        for n, i in zip(node, item, strict=True):
            assert torch.equal(out[name].x[n], row[int(i)])
        assert out[name].x.size(0) == node.numel()
        gone = set(old_item.tolist()) - set(item.tolist())
        lost = gone if lost is None else lost | gone
    trained = set(data[INTERACTS].edge_index[1].tolist())
    assert abs(len(lost) - len(trained) / 2) <= 3


def test_random_modality_keeps_the_moments(data):
    out = corrupt(data, 'random modality', 'image', 0)
    assert torch.equal(out['text'].x, data['text'].x)
    torch.testing.assert_close(
        out['image'].x.std(), data['image'].x.std(), rtol=0.1, atol=0
    )


def test_noise_edges_are_new(data):
    out = corrupt(data, 'noise edges', '0.5', 0)[INTERACTS]
    store = data[INTERACTS]
    added = keys(out.edge_index) - keys(store.edge_index)
    assert len(added) == round(0.5 * store.edge_index.size(1))
    assert keys(store.edge_index) <= keys(out.edge_index)
    assert not added & keys(store.test_edge_label_index)


def test_dropped_edges_leave_one_a_user(data):
    edges = data[INTERACTS].edge_index
    out = corrupt(data, 'dropped edges', '0.5', 0)[INTERACTS].edge_index
    assert keys(out) < keys(edges)
    assert out.size(1) == edges.size(1) - round(0.5 * edges.size(1))
    few = corrupt(data, 'dropped edges', '0.99', 0)[INTERACTS].edge_index
    assert few[0].tolist() == edges[0].unique().tolist()


def test_cold_items_have_labels_instead_of_edges(data):
    out = corrupt(data, 'cold items', '0.1', 0)
    cold = out['item'].cold
    assert int(cold.sum()) == round(
        0.1 * data[INTERACTS].edge_index[1].unique().numel()
    )
    assert not cold[out[INTERACTS].edge_index[1]].any()
    labels = out[INTERACTS].cold_edge_label_index
    assert cold[labels[1]].all()
    moved = keys(data[INTERACTS].edge_index) - keys(out[INTERACTS].edge_index)
    assert moved < keys(labels)


def test_other_names_change_nothing(data):
    assert corrupt(data, 'no modality', '', 0) is data
