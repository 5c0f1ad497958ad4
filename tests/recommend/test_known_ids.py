import numpy as np
import pytest
import torch
from checkerboard import checkerboard

from lgmrec_pyg.recommend import Recommender


def test_unknown_ids_are_skipped_when_asked():
    recommender = checkerboard()
    out = recommender.recommend(['zoe', 'ann', 'yan', 'bob', 'ann'], 2, unknown='skip')
    expected = recommender.recommend(['ann', 'bob', 'ann'], 2)
    assert out.query == ['ann', 'bob', 'ann']
    assert out == expected
    assert out.to_frame()['user'].tolist() == ['ann'] * 2 + ['bob'] * 2 + ['ann'] * 2
    out = recommender.similar_items(['q', 'i1'], 2, unknown='skip')
    assert out == recommender.similar_items(['i1'], 2)
    assert recommender.recommend(['ann'], unknown='skip').query == ['ann']


def test_nobody_is_left():
    recommender = checkerboard()
    for users in (['zoe', 'yan'], [], np.array(['zoe'])):
        out = recommender.recommend(users, unknown='skip')
        assert (out.ids, out.scores, out.query) == ([], [], [])
        assert len(out.to_frame()) == 0
    for out in (
        recommender.recommend('zoe', unknown='skip'),
        recommender.similar_items('q', unknown='skip'),
    ):
        assert (out.ids, out.scores) == ([], [])
        assert len(out.to_frame()) == 0
    ids, _ = recommender.recommend('ann', k=2, unknown='skip')
    assert ids == ['i2', 'i4']


@pytest.mark.parametrize('kind', [str, int])
def test_empty_tables_have_the_types_of_full_ones(kind):
    ids = [kind(i) for i in range(3)]
    recommender = Recommender(torch.eye(3), torch.eye(3), ids, ids)
    seen = Recommender(
        torch.eye(3), torch.eye(3), ids, ids, torch.ones(3, 3).nonzero().t()
    )
    other = kind(9)
    for full, empty in [
        (recommender.recommend(ids), recommender.recommend([], k=1)),
        (recommender.recommend(ids[0]), recommender.recommend(other, unknown='skip')),
        (recommender.recommend(ids[0]), seen.recommend(ids[0])),
        (
            recommender.similar_items(ids),
            recommender.similar_items([other], unknown='skip'),
        ),
        (
            recommender.recommend_history([ids[:1]]),
            recommender.recommend_history([ids]),
        ),
        (recommender.recommend_history(ids[:1]), recommender.recommend_history(ids)),
    ]:
        assert len(empty.to_frame()) == 0 < len(full.to_frame())
        assert empty.to_frame().dtypes.equals(full.to_frame().dtypes)


@pytest.mark.parametrize('kind', [list, tuple, np.array])
def test_histories_in_a_batch(kind):
    recommender = checkerboard()
    histories = [kind(['i1', 'i3']), kind(['i0']), kind(['i4', 'i0', 'i2'])]
    out = recommender.recommend_history(histories, k=3)
    for row, history in enumerate(histories):
        one = recommender.recommend_history(history, k=3)
        assert out.ids[row] == one.ids
        assert out.scores[row] == pytest.approx(one.scores)
    assert out.query == [0, 1, 2]
    frame = out.to_frame()
    assert list(frame.columns) == ['history', 'item', 'score', 'rank']
    assert frame['history'].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    alone = recommender.recommend_history([kind(['i0'])], k=2)
    assert alone.ids == [['i2', 'i4']]


def test_histories_of_integers():
    recommender = Recommender(torch.eye(3)[:1], torch.eye(3))
    assert recommender.recommend_history([0, 1], k=3).ids == [2]
    for batch in (torch.tensor([[0, 1], [1, 2]]), [range(2), {1, 2}]):
        assert recommender.recommend_history(batch, k=3).ids == [[2], [0]]
    assert recommender.recommend_history(torch.tensor([0, 1]), k=3).ids == [2]


def test_items_of_a_history_count_once():
    recommender = checkerboard()
    once = recommender.recommend_history(['i0', 'i1'])
    assert recommender.recommend_history(['i1', 'i0', 'i0', 'i0']) == once
    grown = recommender.with_users(['eve', 'fay'], [['i0', 'i0', 'i1'], {'i0'}])
    assert grown.recommend('eve').ids == once.ids
    assert grown.seen[:, -3:].tolist() == [[4, 4, 5], [0, 1, 0]]
