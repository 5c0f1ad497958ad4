import torch
from graphs import irregular_graph

from benchmarks.withheld import (
    item_features,
    split_histories,
    withhold_items,
    withhold_users,
)
from lgmrec_pyg.graph import INTERACTS, LABELS, describes, validate_graph


def labeled_graph():
    data = irregular_graph()
    pairs = data[INTERACTS].edge_index
    data[INTERACTS].edge_index = pairs[:, ::2].contiguous()
    val, test = pairs[:, 1::2].tensor_split([4], dim=1)
    for name, part in zip(LABELS, (val, test), strict=True):
        data[INTERACTS][name] = part
    return data, set(map(tuple, pairs.t().tolist()))


def pairs_of(data):
    store = data[INTERACTS]
    pairs = torch.cat([store[name] for name in ('edge_index', *LABELS)], dim=1)
    return pairs.t().tolist()


def test_items_keep_their_pairs_and_features():
    data, expected = labeled_graph()
    generator = torch.Generator().manual_seed(1)
    out, new, pairs = withhold_items(data, 0.3, generator)
    validate_graph(out)
    kept = [i for i in range(9) if i not in new.tolist()]
    assert len(new) == 2
    withheld = {(u, int(new[i])) for u, i in pairs.t().tolist()}
    assert {(u, kept[i]) for u, i in pairs_of(out)} | withheld == expected
    assert len(withheld) > 0
    old, before = (item_features(x, torch.arange(n)) for x, n in ((out, 7), (data, 9)))
    for name in old:
        assert torch.equal(old[name], before[name][kept])
        assert out[name].num_nodes == out[describes(name)].num_edges


def test_users_are_numbered_last():
    data, expected = labeled_graph()
    generator = torch.Generator().manual_seed(0)
    out, pairs = withhold_users(data, 0.3, generator)
    validate_graph(out)
    assert out['user'].num_nodes == 8
    assert pairs[0].min() >= 8
    rows = pairs_of(out) + pairs.t().tolist()
    # Users have other numbers, but the items they had.
    histories = [sorted(i for v, i in rows if v == u) for u in range(11)]
    before = [sorted(i for v, i in expected if v == u) for u in range(11)]
    assert sorted(histories) == sorted(before)


def test_histories_are_halved():
    user = torch.tensor([5] * 5 + [7] * 2 + [8])
    pairs = torch.stack([user, torch.arange(8)])
    history, target = split_histories(pairs, torch.Generator().manual_seed(0))
    assert history[0].tolist() == [5, 5, 5, 7, 8]
    assert target[0].tolist() == [5, 5, 7]
    both = torch.cat([history, target], dim=1).t().tolist()
    assert sorted(both) == pairs.t().tolist()


def test_features_of_several_nodes_are_averaged():
    data = irregular_graph(1)
    x = item_features(data, torch.arange(9))['image']
    node, item = data[describes('image')].edge_index
    for i in range(9):
        rows = data['image'].x[node[item == i]].float()
        expected = rows.mean(dim=0) if len(rows) else torch.zeros(4)
        assert torch.allclose(x[i], expected)
