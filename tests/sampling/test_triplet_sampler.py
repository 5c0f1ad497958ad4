import warnings

import pytest
import torch
from graphs import irregular_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric import EdgeIndex

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.sampling import NegativeSampler, TripletSampler


@st.composite
def graphs(draw):
    num_users = draw(st.integers(1, 8))
    num_items = draw(st.integers(2, 12))
    pairs = st.tuples(st.integers(0, num_users - 1), st.integers(0, num_items - 1))
    edges = draw(st.lists(pairs, min_size=1, max_size=40))
    return num_users, num_items, torch.tensor(edges).t().contiguous()


@settings(max_examples=200, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 2**31))
def test_negatives_are_training_items_and_never_positives(graph, seed):
    num_users, num_items, edge_index = graph
    positives = set(map(tuple, edge_index.t().tolist()))
    train_items = set(edge_index[1].tolist())
    open_users = [
        user
        for user in range(num_users)
        if sum(pair[0] == user for pair in positives) < len(train_items)
    ]
    generator = torch.Generator().manual_seed(seed)
    if not set(edge_index[0].tolist()) & set(open_users):
        with pytest.raises(ValueError, match='leaves no negative'):
            TripletSampler(edge_index, num_users, num_items)
        return
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        sampler = TripletSampler(
            edge_index, num_users, num_items, batch_size=3, generator=generator
        )

    drawn = [torch.stack(batch) for batch in sampler]
    user, pos, neg = torch.cat(drawn, dim=1).tolist()
    assert positives.isdisjoint(zip(user, neg, strict=True))
    assert set(neg) <= train_items
    expected = [pair for pair in edge_index.t().tolist() if pair[0] in open_users]
    assert sorted(zip(user, pos, strict=True)) == sorted(map(tuple, expected))

    every = torch.tensor(open_users).repeat_interleave(20)
    neg = sampler.negatives(every).tolist()
    assert positives.isdisjoint(zip(every.tolist(), neg, strict=True))


def test_user_with_a_single_free_item_always_gets_it():
    num_items = 9
    edge_index = torch.tensor([[0] * 8 + [1], [*range(4), *range(5, 9), 4]])
    sampler = TripletSampler(edge_index, num_users=2, num_items=num_items)
    neg = sampler.negatives(torch.zeros(50, dtype=torch.long))
    assert neg.tolist() == [4] * 50


def test_negatives_are_uniform():
    generator = torch.Generator().manual_seed(12)
    edge_index = torch.tensor([[0, 0, 0, 1, 1, 2, 2], [1, 3, 9, 2, 3, 5, 7]])
    sampler = TripletSampler(edge_index, 4, 12, generator=generator)
    num_samples = 60_000
    for user, free in [(0, [2, 5, 7]), (1, [1, 5, 7, 9]), (3, [1, 2, 3, 5, 7, 9])]:
        neg = sampler.negatives(torch.full((num_samples,), user))
        count = neg.bincount(minlength=12)
        assert count.nonzero().view(-1).tolist() == free
        expected = num_samples / len(free)
        chi_square = float(((count[free] - expected) ** 2 / expected).sum())
        # The 99.9 % quantiles for 2, 3 and 5 degrees of freedom:
        assert chi_square < {3: 13.8, 4: 16.3, 6: 20.5}[len(free)]


def test_epoch_is_a_fresh_permutation_of_all_pairs():
    generator = torch.Generator().manual_seed(1)
    edge_index = torch.stack([torch.arange(100) % 10, torch.arange(100) // 3])
    sampler = TripletSampler(edge_index, 10, 34, batch_size=32, generator=generator)
    assert len(sampler) == 4

    epochs = []
    for _ in range(2):
        batches = list(sampler)
        assert [user.numel() for user, _, _ in batches] == [32, 32, 32, 4]
        epochs.append(torch.cat([torch.stack(batch[:2]) for batch in batches], 1))
    assert not torch.equal(epochs[0], epochs[1])
    for epoch in epochs:
        assert sorted(epoch.t().tolist()) == sorted(edge_index.t().tolist())


def test_same_seed_draws_the_same_triplets():
    edge_index = torch.randint(0, 30, (2, 200))
    epochs = []
    for seed in [5, 5, 6]:
        generator = torch.Generator().manual_seed(seed)
        sampler = TripletSampler(edge_index, 30, 30, generator=generator)
        epochs.append(torch.stack(next(iter(sampler))))
    assert torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], epochs[2])


def test_edge_index_and_duplicates():
    edge_index = torch.tensor([[0, 1, 1, 1], [0, 1, 1, 2]])
    expected = TripletSampler(
        edge_index, 2, 3, generator=torch.Generator().manual_seed(0)
    )
    sampler = TripletSampler(
        EdgeIndex(edge_index, sparse_size=(2, 3), sort_order='row'),
        num_users=2,
        num_items=3,
        generator=torch.Generator().manual_seed(0),
    )
    assert str(sampler) == (
        'TripletSampler(num_pairs=4, num_train_items=3, batch_size=2048)'
    )
    user, pos, neg = next(iter(sampler))
    assert type(user) is torch.Tensor
    assert neg[user == 1].tolist() == [0, 0, 0]
    for out, other in zip([user, pos, neg], next(iter(expected)), strict=True):
        assert torch.equal(out, other)


def test_users_with_all_items_positive():
    edge_index = torch.tensor([[0, 0, 1], [0, 1, 1]])
    with pytest.warns(UserWarning, match='Left out 2 training pairs of 1 users'):
        sampler = TripletSampler(edge_index, num_users=2, num_items=2)
    assert [batch.tolist() for batch in next(iter(sampler))] == [[1], [1], [0]]
    with pytest.raises(ValueError, match="'user' 0 interacted with all"):
        sampler.negatives(torch.tensor([1, 0]))


@pytest.mark.parametrize(
    ('edge_index', 'kwargs', 'message'),
    [
        ([[0], [0]], {'batch_size': 0}, r"'batch_size' .* \(got 0\)"),
        ([[0], [0]], {'batch_size': 2.5}, r"'batch_size' .* \(got 2.5\)"),
        ([0, 0], {}, r'shape \[2, num_pairs\] \(got \[2\]\)'),
        ([[], []], {}, r'shape \[2, num_pairs\] \(got \[2, 0\]\)'),
        ([[0, 4], [0, 1]], {}, r'user indices in the range \[0, 3\] \(got 4\)'),
        ([[0, 1], [-1, 1]], {}, r'item indices in the range \[0, 4\] \(got -1\)'),
        ([[0, 1], [0, 0]], {}, 'all 2 users with training pairs'),
    ],
)
def test_errors(edge_index, kwargs, message):
    edge_index = torch.tensor(edge_index, dtype=torch.long)
    with pytest.raises(ValueError, match=message):
        TripletSampler(edge_index, num_users=4, num_items=5, **kwargs)


def test_from_data():
    data = irregular_graph()
    sampler = TripletSampler.from_data(data, batch_size=3)
    sizes = data['user'].num_nodes, data['item'].num_nodes
    expected = TripletSampler(data[INTERACTS].edge_index, *sizes, batch_size=3)
    torch.manual_seed(0)
    batches = list(sampler)
    torch.manual_seed(0)
    for batch, expected_batch in zip(batches, expected, strict=True):
        assert torch.equal(torch.stack(batch), torch.stack(expected_batch))


def test_negatives_of_many_users_and_items_in_32_bits():
    item = torch.arange(50_000, dtype=torch.int32)
    index = torch.stack([torch.full_like(item, 99_999), item])
    index = torch.cat([index, torch.tensor([[0], [7]], dtype=torch.int32)], dim=1)
    sampler = NegativeSampler(index, 100_000)
    assert int(sampler.num_free[99_999]) == 0
    assert 7 not in sampler(torch.zeros(1000, dtype=torch.int32))


def test_full_users_are_named_whatever_others_have():
    sampler = NegativeSampler(torch.tensor([[0, 0, 0, 1], [0, 1, 2, 0]]), 2)
    with pytest.raises(ValueError, match="'user' 0 interacted with all"):
        sampler(torch.tensor([0]))
