import pytest
import torch
from graphs import irregular_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

USERS = ['ann', 'bob', 'cid', 'dee']
ITEMS = ['i0', 'i1', 'i2', 'i3', 'i4', 'i5']
USELESS = ['i1', 'i3', 'i5']  # To 'ann'.


def checkerboard(**kwargs):
    r"""Users like items of their own colour, later ones less, and own the
    first of them; only 'dee' owns all of hers.
    """
    colour = torch.nn.functional.one_hot(torch.arange(6) % 2).float()
    item_emb = colour / torch.arange(1, 7).view(-1, 1)
    pairs = [[0, 1, 2, 3, 3, 3], [0, 1, 0, 1, 3, 5]]
    return Recommender(
        colour[:4], item_emb, USERS, ITEMS, torch.tensor(pairs), **kwargs
    )


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


def test_new_users_are_served_like_trained_ones():
    recommender = checkerboard()
    grown = recommender.with_users(['eve', 'fay'], [['i1', 'i3'], ['i0']])
    assert grown.recommend('eve', k=1).ids == ['i5']
    assert grown.recommend('fay', k=2).ids == ['i2', 'i4']
    assert (
        grown.recommend('fay', k=2).ids == recommender.recommend_history(['i0'], 2).ids
    )
    assert grown.recommend(USERS).ids == recommender.recommend(USERS).ids
    assert len(recommender.users) == 4
    assert len(recommender.with_users([], []).users) == 4


def test_new_items_show_up():
    recommender = checkerboard()
    grown = recommender.with_items(['new'], torch.tensor([[0.9, 0.0]]))
    assert grown.recommend('ann', k=2).ids == ['new', 'i2']
    assert sorted(grown.similar_items('new', k=3).ids) == ['i0', 'i2', 'i4']
    assert 'new' not in recommender.items


def test_from_model_embeds_once_in_evaluation_mode():
    class Doubling(torch.nn.Module):
        calls = 0

        def embed(self, x_dict, edge_index_dict):
            self.calls += 1
            assert not self.training
            assert not torch.is_grad_enabled()
            return torch.eye(2), torch.tensor([[2.0, 1.0], [1.0, 2.0], [3.0, 0.0]])

    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = 2, 3
    data['user'].ids, data['item'].ids = ['ann', 'bob'], [10, 20, 30]
    data[INTERACTS].edge_index = torch.tensor([[1, 0], [1, 2]])
    model = Doubling()
    recommender = Recommender.from_model(model, data)
    assert recommender.recommend(['ann', 'bob'], k=1).ids == [[10], [10]]
    assert recommender.seen.tolist() == [[0, 1], [2, 1]]
    assert model.calls == 1
    assert model.training
    del data['user'].ids, data['item'].ids
    assert Recommender.from_model(model, data).recommend(1, k=1).ids == [0]


def test_from_model_knows_what_users_have():
    data = irregular_graph(dtype=torch.float32)
    data[INTERACTS].val_edge_label_index = torch.tensor([[3], [4]])
    data[INTERACTS].test_edge_label_index = torch.tensor([[3], [5]])
    data = ToAdjacency('csr')(DegreeNorm()(data))
    model = LGMRec.from_data(data, embedding_dim=8)
    assert not {4, 5} & set(Recommender.from_model(model, data).recommend(3, k=9).ids)
    trained = Recommender.from_model(model, data, seen='train')
    assert {4, 5} < set(trained.recommend(3, k=9).ids)  # As in evaluation.
    with pytest.raises(ValueError, match="'seen' needs to be 'all' or 'train'"):
        Recommender.from_model(model, data, seen='test')


def test_from_model_with_another_graph():
    data = irregular_graph(dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8)
    other = irregular_graph(num_users=12, dtype=torch.float32)
    message = "with 11 nodes of type 'user' \\(got 12\\)"
    with pytest.raises(ValueError, match=message):
        Recommender.from_model(model, other)


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
        (lambda r: r.recommend('ann', exclude='sean'), r"'seen', None or .* 'sean'"),
        (lambda r: r.recommend('ann', exclude=['q']), r"'exclude' needs .* 'q'"),
        (lambda r: r.similar_items('q'), r"'items' needs .* 'q'"),
        (lambda r: r.recommend_history(['i1', 'q']), r"'items' needs .* 'q'"),
        (lambda r: r.recommend_history([]), r"'histories' needs .* at least one item"),
        (lambda r: r.with_users(['ann'], [['i1']]), r"'ids' needs .* new .* 'ann'"),
        (lambda r: r.with_users(['eve'], [['q']]), r"'histories' needs .* 'q'"),
        (lambda r: r.with_users(['eve'], []), r"'histories' .* \(got 0 for 1 ids"),
        (lambda r: r.with_items(['i1'], torch.ones(1, 2)), r"'ids' .* new .* 'i1'"),
        (lambda r: r.with_items(['n'], torch.ones(1, 3)), r'shape \[\*, 2\]'),
        (
            lambda r: r.with_items(['n'], torch.ones(2, 2)),
            r"'item_emb' .* \(got 2 for 1 ids",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(checkerboard())


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'user_emb': torch.ones(2, 3)}, 'of one width'),
        ({'user_emb': torch.tensor([[1.0, float('nan')]])}, "'user_emb' holds NaN"),
        ({'item_emb': torch.ones(0, 2)}, 'at least one row'),
        ({'user_emb': torch.ones(2, 2).long()}, 'floating-point'),
        ({'item_ids': ['a', 'b']}, "'item_ids' needs to hold 3 ids"),
        ({'user_ids': ['a', 'a']}, 'each id once'),
        ({'seen': torch.tensor([[0], [3]])}, r"'seen' needs to hold user and item"),
        ({'seen': torch.tensor([0, 1])}, r"'seen' needs to be an int64 tensor"),
    ],
)
def test_embeddings_and_ids_need_to_match(kwargs, message):
    defaults = {'user_emb': torch.ones(2, 2), 'item_emb': torch.ones(3, 2)}
    with pytest.raises(ValueError, match=message):
        Recommender(**{**defaults, **kwargs})
