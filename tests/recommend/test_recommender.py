import numpy as np
import pytest
import torch
from checkerboard import ITEMS, checkerboard
from graphs import irregular_graph
from hypothesis import given, settings
from hypothesis import strategies as st

from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

USELESS = ['i1', 'i3', 'i5']  # To 'ann'.


def test_recommends_own_colour_without_what_was_seen():
    ids, scores = checkerboard().recommend('ann', k=2)
    assert ids == ['i2', 'i4']
    assert scores == pytest.approx([1 / 3, 1 / 5])
    out = checkerboard().recommend(['bob', 'ann', 'bob'], k=1)
    assert out.ids == [['i3'], ['i2'], ['i3']]
    assert out.scores == [pytest.approx([x]) for x in (1 / 4, 1 / 3, 1 / 4)]


def test_excludes_as_told():
    recommender = checkerboard()
    assert recommender.recommend('ann', 2, exclude=None).ids == ['i0', 'i2']
    assert recommender.recommend('ann', 1, exclude=['i2', 'i4']).ids[0] in USELESS
    assert recommender.recommend('ann', 1, exclude={'i2'}).ids == ['i4']
    assert recommender.recommend('ann', 1, exclude=[]).ids == ['i2']
    out = recommender.recommend(['ann', 'bob'], 1, exclude=['i3', 'i2'])
    assert out.ids == [['i4'], ['i5']]


def test_lists_are_shorter_where_no_more_items_are_left():
    recommender = checkerboard()
    ids, scores = recommender.recommend('dee', k=100)
    assert sorted(ids) == ['i0', 'i2', 'i4']
    assert len(scores) == 3
    ids, _ = recommender.recommend(['ann', 'dee'], k=4)
    assert [len(row) for row in ids] == [4, 3]
    assert recommender.recommend('ann', exclude=ITEMS).ids == []
    assert recommender.recommend([]).ids == []


def test_frame_ranks_from_one():
    frame = checkerboard().recommend(['dee', 'ann'], k=2, exclude=['i0']).to_frame()
    assert list(frame.columns) == ['user', 'item', 'score', 'rank']
    assert frame['user'].tolist() == ['dee', 'dee', 'ann', 'ann']
    assert frame['rank'].tolist() == [1, 2, 1, 2]
    assert frame['item'].tolist()[2:] == ['i2', 'i4']
    one = checkerboard().recommend('ann', k=1).to_frame()
    assert one.values.tolist() == [['ann', 'i2', pytest.approx(1 / 3), 1]]


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_equals_brute_force(seed):
    torch.manual_seed(seed)
    num_users, num_items, k = (int(torch.randint(1, 9, ())) for _ in range(3))
    # Distinct integer scores are exact in any order of summation.
    user_emb = torch.randint(1, 50, (num_users, 1)).float()
    item_emb = torch.randperm(100)[:num_items].view(-1, 1).float()
    mask = torch.rand(num_users, num_items) < 0.3
    user_ids = torch.randperm(1000)[:num_users].tolist()
    item_ids = [f'item-{i}' for i in torch.randperm(1000)[:num_items].tolist()]
    recommender = Recommender(
        user_emb, item_emb, user_ids, item_ids, mask.nonzero().t()
    )
    queries = torch.randint(num_users, (5,)).tolist()
    out = recommender.recommend([user_ids[u] for u in queries], k)
    scores = user_emb @ item_emb.t()
    for row, u in enumerate(queries):
        allowed = [i for i in range(num_items) if not mask[u, i]]
        best = sorted(allowed, key=lambda i: -float(scores[u, i]))[:k]
        assert out.ids[row] == [item_ids[i] for i in best]
        assert out.scores[row] == [float(scores[u, i]) for i in best]
        assert recommender.recommend(user_ids[u], k).ids == out.ids[row]


def test_similar_items_by_hand():
    item_emb = torch.tensor([[2.0, 0.0], [0.5, 0.5], [0.0, 9.0], [-1.0, 0.0]])
    recommender = Recommender(torch.ones(1, 2), item_emb, item_ids=['a', 'b', 'c', 'd'])
    ids, scores = recommender.similar_items('a', k=2)
    assert ids == ['b', 'c']
    assert scores == pytest.approx([0.5**0.5, 0.0], abs=1e-6)
    out = recommender.similar_items(['d', 'b'], k=10)
    assert [len(row) for row in out.ids] == [3, 3]
    assert out.ids[0][-1] == 'a'
    assert out.scores[0][-1] == pytest.approx(-1.0)
    assert sorted(out.ids[1][:2]) == ['a', 'c']
    columns = ['item', 'similar_item', 'score', 'rank']
    assert list(out.to_frame().columns) == columns


def test_history_of_someone_unknown():
    recommender = checkerboard()
    ids, scores = recommender.recommend_history(['i1', 'i3'], k=1)
    assert ids == ['i5']
    assert scores == pytest.approx([(1 / 2 + 1 / 4) / 2 / 6])
    assert recommender.recommend_history(['i4'], k=9).ids[:2] == ['i0', 'i2']
    frame = recommender.recommend_history(['i4'], k=2).to_frame()
    assert list(frame.columns) == ['item', 'score', 'rank']


def test_from_lgmrec():
    data = irregular_graph(dtype=torch.float32)
    pairs = data[INTERACTS].edge_index
    data['item'].ids = [f'item {i}' for i in range(9)]
    data = ToAdjacency('csr')(DegreeNorm()(data))
    model = LGMRec.from_data(data, embedding_dim=8)
    out = Recommender.from_model(model, data).recommend(list(range(11)), k=3)
    with torch.no_grad():
        user_emb, item_emb = model.eval().embed(*model_inputs(data))
    scores = user_emb @ item_emb.t()
    scores[tuple(pairs)] = -float('inf')
    for ids, row in zip(out.ids, scores, strict=True):
        assert ids == [f'item {i}' for i in row.topk(3).indices.tolist()]


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda r: r.recommend('zoe'), r"'users' needs .* 1 unknown of 1: 'zoe'"),
        (lambda r: r.recommend(['ann', 'x', 'y']), r"2 unknown of 3: 'x', 'y'"),
        (lambda r: r.recommend(3), r"'users' needs to hold strings"),
        (lambda r: r.recommend('ann', k=0), r"'k' needs .* \(got 0\)"),
        (lambda r: r.recommend('ann', exclude='sean'), r"'seen', None, a .* 'sean'"),
        (lambda r: r.recommend('ann', exclude=[3]), r"'exclude' needs to hold strings"),
        (lambda r: r.recommend('ann', items=['i1', 'q']), r"'items' needs .* 'q'"),
        (lambda r: r.score('ann', ['i1', 'q']), r"'items' needs .* 'q'"),
        (lambda r: r.similar_items('q'), r"'items' needs .* 'q'"),
        (lambda r: r.recommend_history(['i1', 'q']), r"'items' needs .* 'q'"),
        (lambda r: r.recommend_history([]), r"'histories' needs .* at least one item"),
        (lambda r: r.recommend([3, 4], unknown='skip'), r"'users' .* hold strings"),
        (lambda r: r.recommend(['ann'], unknown='drop'), r"'unknown' .* 'drop'"),
        (lambda r: r.similar_items(['i1'], unknown=None), r"'unknown' .* None"),
        (lambda r: r.recommend_history([['i1'], ['q']]), r"'items' needs .* 'q'"),
        (lambda r: r.recommend_history([['i1'], []]), r'\(got none for user 1\)'),
        (
            lambda r: r.recommend_history([['i1', ['i2']]]),
            r"'items' needs to hold strings or integers \(got \['i2'\] of type list",
        ),
        (lambda r: r.recommend_history({('i1',), ('i2',)}), r"'items' .* \(got set"),
        (
            lambda r: r.recommend_history(x for x in [['i1']]),
            'of type list in position',
        ),
        (
            lambda r: r.with_users([5], [['i1']]),
            r"'user_ids' .* either strings or integers, not both .* 5 in position 4",
        ),
        (lambda r: r.with_items([5], torch.ones(1, 2)), r"'item_ids' .* not both"),
        (lambda r: r.with_users(['ann'], [['i1']]), r"'user_ids' .* once \(got 'ann'"),
        (lambda r: r.with_users(['eve'], [['q']]), r"'histories' needs .* 'q'"),
        (
            lambda r: r.with_users(['eve'], (x for x in [['i1']])),
            r"'histories' needs to be a sequence of sequences .* \(got generator",
        ),
        (lambda r: r.with_users(['eve'], {('i1',)}), r"'histories' .* \(got set"),
        (lambda r: r.with_users(['eve'], 'i'), r"'histories' .* \(got str 'i'"),
        (
            lambda r: r.with_users(['eve'], []),
            r"'user_ids' .* hold 4 ids, .* \(got 5\)",
        ),
        (lambda r: r.with_items(['i1'], torch.ones(1, 2)), r"'item_ids' .* 'i1'"),
        (lambda r: r.with_items(['n'], torch.ones(1, 3)), r'shape \[\*, 2\]'),
        (
            lambda r: r.with_items(['n'], torch.ones(2, 2)),
            r"'item_ids' needs to hold 8 ids, .* \(got 7\)",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(checkerboard())


@pytest.mark.parametrize('k', [5.0, 0, '5', None])
@pytest.mark.parametrize('call', ['recommend', 'recommend_history', 'similar_items'])
def test_k_is_a_positive_integer(call, k):
    recommender = Recommender(torch.ones(2, 2), torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"'k' needs to be a positive integer \(got"):
        getattr(recommender, call)([1], k)
    assert len(getattr(recommender, call)([1], np.int64(1)).ids) == 1


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    torch.manual_seed(0)
    emb = torch.randn(40, 16).to(dtype)
    emb[3] = 0
    half, single = Recommender(emb[:9], emb), Recommender(emb[:9].float(), emb.float())
    users, items = list(range(9)), list(range(40))
    assert half.recommend(users, 5) == single.recommend(users, 5)
    assert half.similar_items(items, 5) == single.similar_items(items, 5)
    assert half.similar_items(3, 5).scores == [0.0] * 5
    mixed = Recommender(emb[:9].float(), emb)
    assert mixed.recommend(users, 5) == single.recommend(users, 5)
