import numpy as np
import pytest
import torch
from graphs import irregular_graph

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import graph_from_interactions
from lgmrec_pyg.graph import IdMap, get_ids, set_ids
from lgmrec_pyg.nn import LGMRec, LightGCN
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage import extend_model, load_ids, load_model, save_model
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import SimilarItems

OLD_USERS, OLD_ITEMS = ['ann', 'bob', 'dee', 'eve'], ['b', 'd', 'e', 'g']
NEW_USERS, NEW_ITEMS = ['ann', 'bob', 'cid', 'dee', 'fay'], ['a', 'b', 'c', 'd', 'g']
KWARGS = {'PGL': {'contrast_weight': 0.1}, 'DGR': {'alphas': [0.1, 1.1]}}


def graph(users, items, ids=True):
    data = irregular_graph(1, len(users), len(items), dtype=torch.float32)
    if ids:
        set_ids(data, 'user', users)
        set_ids(data, 'item', items)
    return data


@pytest.mark.parametrize('name', ['LGMRec', *nn.PUBLISHED])
def test_rows_are_matched_by_their_ids(name):
    old, new = (
        SimilarItems(k=2, union=True)(graph(*ids))
        for ids in ((OLD_USERS, OLD_ITEMS), (NEW_USERS, NEW_ITEMS))
    )
    model = getattr(nn, name).from_data(old, embedding_dim=4, **KWARGS.get(name, {}))
    for i, weight in enumerate(model.parameters()):
        torch.nn.init.constant_(weight, 100.0 + i)
        if weight.size(0) == 4:  # Of users or items, and told apart by their rows.
            weight.data += torch.arange(4.0).view(-1, *[1] * (weight.dim() - 1))
    torch.manual_seed(0)
    out = extend_model(model, old, new)
    torch.manual_seed(0)
    fresh = getattr(nn, name).from_data(new, embedding_dim=4, **KWARGS.get(name, {}))
    weights, begin = model.state_dict(), fresh.state_dict()
    kinds = {'user': (OLD_USERS, NEW_USERS), 'item': (OLD_ITEMS, NEW_ITEMS)}
    seen = set()
    for key, weight in out.state_dict().items():
        kind = next((x for x in kinds if f'{x}_embedding' in key), None)
        if kind is None:
            assert torch.equal(weight, weights[key])
            continue
        seen.add(kind)
        for row, id_ in enumerate(kinds[kind][1]):
            if id_ in kinds[kind][0]:
                expected = weights[key][kinds[kind][0].index(id_)]
            else:
                expected = begin[key][row]
            assert torch.equal(weight[row], expected)
    assert 'user' in seen
    assert out.settings == fresh.settings
    assert out.training


def test_training_goes_on(tmp_path):
    generator = np.random.default_rng(0)
    pairs = generator.integers((0, 10), (60, 50), (900, 2)).T
    old = graph_from_interactions(pairs[:, (pairs[0] > 5) & (pairs[1] < 45)], k_core=2)
    new = graph_from_interactions(pairs, k_core=2)
    model = LGMRec.from_data(old, embedding_dim=8)
    fit(model, old, epochs=2, progress=False)
    save_model(model, tmp_path, data=old)
    with pytest.raises(ValueError, match='num_users is 60 instead of 54'):
        load_model(tmp_path, data=new)
    other = load_model(tmp_path, data=new, extend=True)
    assert not other.training
    users, items = (IdMap.of(new, kind) for kind in ('user', 'item'))
    for kind, known in (('user', users), ('item', items)):
        rows = known.encode(get_ids(old, kind))
        weights = (getattr(x, f'{kind}_embedding').weight for x in (other, model))
        extended, before = weights
        assert 0 < rows.numel() == before.size(0) < extended.size(0)
        assert torch.equal(extended[rows], before)
    history = fit(other, new, epochs=30, lr=0.05, progress=False)
    assert history.losses[-1]['total'] < 0.9 * history.losses[0]['total']
    assert len(Recommender.from_model(other, new).recommend(0, k=3).ids) == 3
    again = load_model(tmp_path, data=old, extend=True)
    assert torch.equal(again.user_embedding.weight, model.user_embedding.weight)


def test_without_ids_indices_count():
    old, new = graph(OLD_USERS, OLD_ITEMS, False), graph(NEW_USERS, NEW_ITEMS, False)
    model = LightGCN.from_data(old, embedding_dim=4).double()
    out = extend_model(torch.compile(model), old, new)
    assert torch.equal(out.user_embedding.weight[:4], model.user_embedding.weight)
    assert out.user_embedding.weight.dtype == torch.float64
    assert out.num_items == 5


def test_what_does_not_fit(tmp_path):
    old, new = graph(OLD_USERS, OLD_ITEMS), graph(NEW_USERS, NEW_ITEMS)
    model = LGMRec.from_data(old, embedding_dim=4)
    for a, b in ((old, graph(NEW_USERS, NEW_ITEMS, False)), ({}, new)):
        with pytest.raises(ValueError, match='in both graphs, or in none'):
            extend_model(model, a, b)
    set_ids(new, 'item', ['v', 'w', 'x', 'y', 'z'])
    with pytest.raises(ValueError, match='none of 4 among 5'):
        extend_model(model, old, new)
    new['image'].x = torch.randn(new['image'].num_nodes, 7)
    with pytest.raises(ValueError, match="width of 'image' is 7 instead of 4"):
        extend_model(model, old, new)
    save_model(model, tmp_path, data=old)
    with pytest.raises(ValueError, match="'extend' needs 'data'"):
        load_model(tmp_path, extend=True)
    assert {k: x.ids for k, x in load_ids(tmp_path).items()} == {
        'user': OLD_USERS,
        'item': OLD_ITEMS,
    }


def test_a_contrast_of_its_own():
    old, new = graph(OLD_USERS, OLD_ITEMS), graph(NEW_USERS, NEW_ITEMS)
    contrast = nn.HypergraphContrast(0.7)
    model = LGMRec.from_data(old, embedding_dim=4, contrast=contrast)
    assert extend_model(model, old, new, contrast=contrast).contrast is contrast
