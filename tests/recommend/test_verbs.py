import numpy as np
import pandas as pd
import pytest
import torch
from checkerboard import USERS, checkerboard

from lgmrec_pyg.recommend import Recommender


def test_given_candidates():
    recommender = checkerboard()
    ids, scores = recommender.recommend('ann', items=['i1', 'i4', 'i0', 'i4'])
    assert ids == ['i4', 'i1']  # Without what she has.
    assert scores == pytest.approx([1 / 5, 0])
    out = recommender.recommend(['bob', 'ann'], 1, items={'i0', 'i3', 'i4'})
    assert out.ids == [['i3'], ['i4']]
    out = recommender.recommend(['dee', 'ann'], items=['i5', 'i1'])
    assert [sorted(ids) for ids in out.ids] == [[], ['i1', 'i5']]
    out = recommender.recommend('ann', 1, items=['i2', 'i4'], exclude=['i2'])
    assert out.ids == ['i4']
    skipped = recommender.recommend('ann', items=['q', 'i2'], unknown='skip')
    assert skipped.ids == ['i2']
    assert recommender.recommend('ann', items=['q'], unknown='skip').ids == []
    assert recommender.recommend(USERS, items=[]).ids == [[], [], [], []]


def test_candidates_are_ranked_as_among_all():
    torch.manual_seed(0)
    mask = torch.rand(30, 200) < 0.1
    recommender = Recommender(
        torch.randn(30, 8), torch.randn(200, 8), seen=mask.nonzero().t()
    )
    users, items = list(range(30)), torch.randperm(200)[:50].tolist()
    out = recommender.recommend(users, 10, items=items)
    every = recommender.recommend(users, 200)
    for found, ranking in zip(out.ids, every.ids, strict=True):
        assert found == [i for i in ranking if i in set(items)][:10]


def test_scores_of_pairs():
    recommender = checkerboard()
    assert recommender.score('ann', 'i2') == pytest.approx(1 / 3)
    assert recommender.score('ann', ['i2', 'i1']) == pytest.approx([1 / 3, 0])
    assert recommender.score(['ann', 'bob'], 'i1') == pytest.approx([0, 1 / 2])
    out = recommender.score(np.array(['bob', 'bob', 'cid']), ['i5', 'i0', 'i0'])
    assert out == pytest.approx([1 / 6, 0, 1])
    assert recommender.score([], []) == []
    half = Recommender(torch.full((1, 2), 300.0).half(), torch.full((1, 2), 300.0))
    assert half.score(0, 0) == 180_000


def test_exclusion_by_user():
    recommender = checkerboard()
    exclude = {'ann': ['i2'], 'cid': {'i4', 'i2'}, 'zoe': ['i4'], 'dee': []}
    out = recommender.recommend(['ann', 'bob', 'cid'], 1, exclude)
    assert out.ids[:2] == [['i4'], ['i3']]
    assert out.ids[2][0] in ['i1', 'i3', 'i5']
    assert recommender.recommend('ann', 1, exclude).ids == ['i4']
    rows = torch.tensor([2, 0])
    _, found = recommender.rank(rows, 1, exclude={'cid': ['i2']})
    assert found.tolist() == [[4], [2]]


def test_what_was_seen_can_be_recommended_again():
    recommender = checkerboard()
    assert recommender.recommend('ann', 2, include_seen=True).ids == ['i0', 'i2']
    out = recommender.recommend('ann', 2, exclude=['i2'], include_seen=True)
    assert out.ids == ['i0', 'i4']
    exclude = {'ann': ['i0'], 'cid': ['i2']}
    out = recommender.recommend(['ann', 'cid'], 2, exclude, include_seen=True)
    assert out.ids == [['i2', 'i4'], ['i0', 'i4']]
    out = recommender.recommend_history(['i0'], 2, exclude=['i2'], include_seen=True)
    assert out.ids == ['i0', 'i4']
    assert recommender.recommend_history(['i0'], 1, exclude=None).ids == ['i0']


def test_unknown_ids_in_exclude_harm_nobody():
    recommender = checkerboard()
    for exclude in (['i2', 'gone'], {'ann': ['gone', 'i2']}):
        assert recommender.recommend('ann', 1, exclude).ids == ['i4']
    assert recommender.similar_items('i0', 1, exclude=['gone', 'i2']).ids == ['i4']
    assert recommender.recommend_history(['i0'], 1, exclude=['gone']).ids == ['i2']


def test_popular_items_for_unknown_users():
    recommender = checkerboard()
    out = recommender.recommend(['zoe', 'ann', 'yan'], 3, unknown='popular')
    assert out.query == ['zoe', 'ann', 'yan']
    assert out.scores[0] == out.scores[2] == [2, 2, 1]
    assert set(out.ids[0][:2]) == {'i0', 'i1'}
    assert out.ids[1] == recommender.recommend('ann', 3).ids
    one = recommender.recommend('zoe', 2, exclude={'zoe': ['i0']}, unknown='popular')
    assert one.ids[0] == 'i1'
    assert one.to_frame()['user'].tolist() == ['zoe', 'zoe']
    out = recommender.recommend('zoe', unknown='popular', items=['i2', 'i3', 'i1'])
    assert (out.ids, out.scores) == (['i1', 'i3', 'i2'], [2, 1, 0])
    known = recommender.recommend(USERS, 3, unknown='popular')
    assert known == recommender.recommend(USERS, 3)


def test_unknown_items_of_histories():
    recommender = checkerboard()
    histories = [['q', 'i1', 'i3'], ['q'], ['i0']]
    out = recommender.recommend_history(histories, 1, unknown='skip')
    assert (out.ids, out.query) == ([['i5'], ['i2']], [0, 2])
    assert out.to_frame()['history'].tolist() == [0, 2]
    out = recommender.recommend_history(
        histories, 1, exclude={1: ['i0']}, unknown='popular'
    )
    assert (out.ids, out.query) == ([['i5'], ['i1'], ['i2']], [0, 1, 2])
    assert recommender.recommend_history(['q'], unknown='skip').ids == []
    assert recommender.recommend_history([['q']], unknown='skip').ids == []
    popular = recommender.recommend_history(['q'], 1, unknown='popular', exclude=['i1'])
    assert (popular.ids, popular.scores) == (['i0'], [2])


def test_similar_items_leave_out_what_is_excluded():
    recommender = checkerboard()
    assert set(recommender.similar_items('i0', 2).ids) == {'i2', 'i4'}
    out = recommender.similar_items(['i0', 'i1'], 1, exclude=['i2', 'i3', 'i0'])
    assert out.ids == [['i4'], ['i5']]
    out = recommender.similar_items(['i0', 'i4'], 1, exclude={'i0': ['i4']})
    assert out.ids[0] == ['i2']
    popular = recommender.similar_items('q', 1, unknown='popular', exclude=['i0'])
    assert popular.ids == ['i1']


def test_users_for_an_item():
    recommender = checkerboard()
    ids, scores = recommender.users_for_item('i3', k=1)
    assert (ids, scores) == (['bob'], [pytest.approx(1 / 4)])
    assert 'dee' not in recommender.users_for_item('i3').ids  # Who has it.
    out = recommender.users_for_item(['i3', 'i0'], 2, include_seen=True)
    assert [sorted(ids) for ids in out.ids] == [['bob', 'dee'], ['ann', 'cid']]
    out = recommender.users_for_item('i2', 1, exclude=['ann', 'nobody'])
    assert out.ids == ['cid']
    assert list(out.to_frame().columns) == ['item', 'user', 'score', 'rank']
    active = recommender.users_for_item('q', 1, unknown='popular')
    assert (active.ids, active.scores) == (['dee'], [3])


def test_similar_users():
    recommender = checkerboard()
    out = recommender.similar_users(['ann', 'dee'], k=1)
    assert (out.ids, out.scores) == ([['cid'], ['bob']], [[1.0], [1.0]])
    assert 'ann' not in recommender.similar_users('ann').ids
    assert recommender.similar_users('ann', exclude=['cid', 'bob']).ids == ['dee']
    columns = ['user', 'similar_user', 'score', 'rank']
    assert list(out.to_frame().columns) == columns


def test_parquet_of_candidates(tmp_path):
    parquet = pytest.importorskip('pyarrow.parquet', reason='needs pyarrow')
    path = tmp_path / 'top.parquet'
    checkerboard().to_parquet(path, 1, items=['i3', 'i4'], exclude={'ann': ['i4']})
    out = parquet.read_table(path).to_pydict()
    assert out['user'] == ['ann', 'bob', 'cid', 'dee']
    assert out['item'] == ['i3', 'i3', 'i4', 'i4']


def test_one_id_in_any_form():
    recommender = checkerboard()
    expected = recommender.recommend('ann', k=2)
    for one in (np.str_('ann'), np.array('ann')):
        assert recommender.recommend(one, k=2) == expected
    for several in (iter(['ann']), {'ann': 1}.keys(), pd.Series(['ann']), ('ann',)):
        assert recommender.recommend(several, k=2).ids == [expected.ids]
    numbered = Recommender(recommender.user_emb, recommender.item_emb)
    for one in (1, 1.0, np.int32(1), torch.tensor(1), np.array(1)):
        assert numbered.recommend(one, k=2).ids == [1, 3]
        assert numbered.recommend(one, k=2).query == 1
    with pytest.raises(ValueError, match='an id in every position'):
        recommender.recommend(None)
    for exclude in (['i2'], {'ann': 'i2'}, {'ann': {'i2', 'gone'}}):
        assert recommender.recommend('ann', k=1, exclude=exclude).ids == ['i4']
    assert numbered.recommend(0, k=1, exclude=0).ids == [2]


def test_embeddings_and_pairs_in_arrays():
    recommender = checkerboard()
    other = Recommender(
        recommender.user_emb.numpy(),
        recommender.item_emb.numpy(),
        recommender.users,
        recommender.items,
        recommender.seen.numpy(),
    )
    assert other.recommend('bob', k=3) == recommender.recommend('bob', k=3)


def test_scores_of_lists_that_do_not_match():
    with pytest.raises(ValueError, match=r"'items' needs to hold 2 ids \(got 3\)"):
        checkerboard().score(['ann', 'bob'], ['i0', 'i1', 'i2'])
