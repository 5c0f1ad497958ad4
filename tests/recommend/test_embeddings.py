import pytest
import torch
from checkerboard import USERS, checkerboard
from graphs import irregular_graph
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import FREEDOM, LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.transforms import DegreeNorm, SimilarItems, ToAdjacency


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


def test_from_model_leaves_a_model_as_it_was():
    data = SimilarItems(k=3, union=True)(irregular_graph(dtype=torch.float32))
    model = FREEDOM.from_data(data).train()
    inputs = model_inputs(data)
    model.projection.eval()
    before, state = model(*inputs).user, torch.get_rng_state()
    Recommender.from_model(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model(*inputs).user, before)
    assert model.training
    assert not model.projection.training


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
    message = "have 11 nodes of type 'user', as 'model' has \\(got 12"
    with pytest.raises(ValueError, match=message):
        Recommender.from_model(model, other)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'user_emb': torch.ones(2, 3)}, r"'item_emb' .* \[\*, 3\]"),
        ({'user_emb': torch.tensor([[1.0, float('nan')]])}, "'user_emb' holds NaN"),
        ({'item_emb': torch.ones(0, 2)}, 'at least one row'),
        ({'item_ids': ['a', 'b']}, "'item_ids' needs to hold 3 ids"),
        ({'user_ids': ['a', 'a']}, 'each id once'),
        (
            {'seen': torch.zeros(4, 2).long()},
            r"'seen' .* of shape \[2, \*\] \(got \[4, 2",
        ),
        (
            {'seen': torch.tensor([[0], [3]])},
            r"'seen' needs to hold pairs .* \(got \[0, 3\]\)",
        ),
    ],
)
def test_embeddings_and_ids_need_to_match(kwargs, message):
    defaults = {'user_emb': torch.ones(2, 2), 'item_emb': torch.ones(3, 2)}
    with pytest.raises(ValueError, match=message):
        Recommender(**{**defaults, **kwargs})


def test_strided_embeddings():
    torch.manual_seed(0)
    user_emb, item_emb = torch.randn(8, 6).t(), torch.randn(8, 30).t()
    out = Recommender(user_emb, item_emb)
    assert out.item_emb.is_contiguous()
    expected = Recommender(user_emb.contiguous(), item_emb.contiguous())
    assert out.recommend([0, 5, 0], 4) == expected.recommend([0, 5, 0], 4)
