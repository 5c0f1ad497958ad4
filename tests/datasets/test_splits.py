from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lgmrec_pyg.datasets import (
    graph_from_interactions,
    k_core,
    leave_one_out_split,
    random_split,
    time_split,
)

pytestmark = pytest.mark.filterwarnings('ignore:Splitting by time')

PAIRS = st.sets(
    st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=80
)
RATIOS = st.tuples(st.floats(0, 0.49), st.floats(0, 0.49))


def to_tensor(pairs: object) -> Tensor:
    return torch.tensor(list(pairs), dtype=torch.long).view(-1, 2).t()  # type: ignore


def pairs_of(num_pairs: int) -> Tensor:
    return torch.stack([torch.zeros(num_pairs).long(), torch.arange(num_pairs)])


def counts_of(label: Tensor) -> list[int]:
    return [int((label == value).sum()) for value in range(3)]


@pytest.mark.parametrize(
    ('num_pairs', 'ratios', 'expected'),
    [
        (1, (0.1, 0.1), [1, 0, 0]),
        (2, (0.1, 0.1), [2, 0, 0]),
        (3, (0.1, 0.1), [1, 1, 1]),
        (10, (0.1, 0.1), [8, 1, 1]),
        (19, (0.1, 0.1), [17, 1, 1]),
        (20, (0.1, 0.1), [16, 2, 2]),
        (30, (0.1, 0.1), [24, 3, 3]),
        (100, (0.29, 0.57), [14, 29, 57]),
        (2, (0.0, 0.1), [1, 0, 1]),
        (2, (0.1, 0.0), [1, 1, 0]),
        (5, (0.0, 0.0), [5, 0, 0]),
        (4, (0.45, 0.45), [2, 1, 1]),
    ],
)
def test_random_split_counts(
    num_pairs: int, ratios: tuple[float, float], expected: list[int]
) -> None:
    assert counts_of(random_split(pairs_of(num_pairs), *ratios)) == expected


def test_random_split_is_uniform() -> None:
    # Each of ten pairs is as likely to be withheld as the others.
    num_users = 20_000
    user = torch.arange(num_users).repeat_interleave(10)
    pairs = torch.stack([user, torch.arange(10).repeat(num_users)])
    label = random_split(pairs, 0.1, 0.2).view(num_users, 10)
    for value, share in [(1, 0.1), (2, 0.2)]:
        shares = (label == value).double().mean(dim=0)
        assert (shares - share).abs().max() < 5 * (share / num_users) ** 0.5
    assert not torch.equal(label, random_split(pairs, 0.1, 0.2, seed=1).view(-1, 10))


@given(PAIRS, RATIOS, st.integers(0, 3), st.randoms())
def test_random_split(
    pairs: set[tuple[int, int]],
    ratios: tuple[float, float],
    seed: int,
    random: object,
) -> None:
    order = sorted(pairs)
    label = random_split(to_tensor(order), *ratios, seed=seed)
    train = [
        u for (u, _), value in zip(order, label.tolist(), strict=True) if not value
    ]
    assert set(train) == {u for u, _ in pairs}
    assert torch.equal(label, random_split(to_tensor(order), *ratios, seed=seed))

    shuffled = list(order)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = random_split(to_tensor(shuffled), *ratios, seed=seed).tolist()
    assert dict(zip(shuffled, other, strict=True)) == dict(
        zip(order, label.tolist(), strict=True)
    )


def test_leave_one_out_split() -> None:
    pairs = to_tensor([(0, 4), (1, 3), (0, 2), (0, 1), (1, 5), (0, 3), (2, 0)])
    time = torch.tensor([30, 1, 10, 20, 2, 5, 9])
    # User 0: items 3, 2, 1, 4. Users 1 and 2 have fewer than three pairs.
    assert leave_one_out_split(pairs, time).tolist() == [2, 0, 0, 1, 0, 0, 0]


def test_leave_one_out_split_breaks_ties_by_item() -> None:
    pairs = to_tensor([(0, 9), (0, 2), (0, 5), (0, 7)])
    time = torch.tensor([1.5, 1.5, 1.5, 0.5])
    assert leave_one_out_split(pairs, time).tolist() == [2, 0, 1, 0]


@given(PAIRS, st.integers(0, 3), st.randoms(), st.booleans())
def test_leave_one_out_split_properties(
    pairs: set[tuple[int, int]], seed: int, random: object, timed: bool
) -> None:
    order = sorted(pairs)
    times = {pair: random.randint(0, 4) for pair in order}  # type: ignore[attr-defined]

    def split(order: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
        time = torch.tensor([times[pair] for pair in order]) if timed else None
        label = leave_one_out_split(to_tensor(order), time, seed)
        return dict(zip(order, label.tolist(), strict=True))

    out = split(order)
    shuffled = list(order)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split(shuffled) == out
    for user, count in Counter(u for u, _ in order).items():
        mine = {pair: value for pair, value in out.items() if pair[0] == user}
        values = Counter(mine.values())
        assert values == ({0: count - 2, 1: 1, 2: 1} if count > 2 else {0: count})
        if timed and count > 2:
            ranked = sorted(mine, key=lambda pair: (times[pair], pair))
            assert [mine[pair] for pair in ranked[-2:]] == [1, 2]


def test_time_split() -> None:
    # The last two of ten are test pairs, and the two before validation pairs.
    user = [0, 1, 0, 1, 0, 1, 0, 1, 2, 0]
    item = [0, 0, 1, 1, 2, 2, 0, 3, 0, 1]
    time = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    with pytest.warns(UserWarning, match='by time drops 2 of 4 pairs'):
        label = time_split(torch.tensor([user, item]), torch.tensor(time), 0.2, 0.2)
    # Pair 7 is of an item, and pair 8 of a user without a training pair.
    assert label.tolist() == [0, 0, 0, 0, 0, 0, 1, -1, -1, 2]


def test_time_split_never_divides_a_moment() -> None:
    pairs = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 2, 3, 4]])
    pairs = torch.cat([pairs, pairs + torch.tensor([[1], [0]])], dim=1)
    time = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    label = time_split(pairs, time, 0.1, 0.2)
    assert label.tolist() == [0, 0, 0, 0, 0, 2, 2, 2, 2, 0]
    assert time_split(pairs, torch.zeros(10), 0.1, 0.1).tolist() == [-1] * 10
    assert time_split(pairs, time, 0.0, 0.0).tolist() == [0] * 10


@given(PAIRS, RATIOS, st.randoms())
def test_time_split_properties(
    pairs: set[tuple[int, int]], ratios: tuple[float, float], random: object
) -> None:
    order = list(pairs)
    random.shuffle(order)  # type: ignore[attr-defined]
    time = torch.tensor([random.randint(0, 20) for _ in order])  # type: ignore
    index = to_tensor(order)
    label = time_split(index, time, *ratios)
    train = label == 0
    latest = time[train].max() if train.any() else -1
    assert bool((time[label == 1] > latest).all())
    if (label == 1).any() and (label == 2).any():
        assert time[label == 1].max() < time[label == 2].min()
    assert int((time > latest).sum()) >= int(sum(ratios) * len(order))
    for row in index:
        assert set(row[label > 0].tolist()) <= set(row[train].tolist())
        unseen = ~torch.isin(row, row[train])
        assert bool((label[unseen] == -1).all())
    seen = torch.isin(index[0], index[0, train]) & torch.isin(index[1], index[1, train])
    assert bool((label[seen] >= 0).all())


def test_splits_of_nothing() -> None:
    pairs = torch.empty(2, 0, dtype=torch.long)
    assert random_split(pairs).size() == (0,)
    assert leave_one_out_split(pairs).size() == (0,)
    assert time_split(pairs, torch.empty(0)).size() == (0,)


@pytest.mark.parametrize('ratios', [(-0.1, 0.1), (0.5, 0.5), (0.1, float('nan'))])
def test_split_errors(ratios: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match='of sum < 1'):
        random_split(pairs_of(3), *ratios)
    with pytest.raises(ValueError, match='of sum < 1'):
        time_split(pairs_of(3), torch.arange(3), *ratios)


def test_k_core() -> None:
    # Without item 2 user 1 has one pair, and without user 1 item 1 has none.
    pairs = to_tensor([(0, 0), (0, 3), (1, 1), (1, 2), (2, 0), (2, 3)])
    assert k_core(pairs, 1).tolist() == [True] * 6
    assert k_core(pairs, 2).tolist() == [True, True, False, False, True, True]
    assert k_core(pairs, 3).tolist() == [False] * 6


def test_k_core_of_a_chain() -> None:
    # Only the ends lack a second pair at first: the chain is taken apart by steps.
    chain = [pair for i in range(50) for pair in [(i, i), (i, i + 1)]]
    assert not k_core(to_tensor(chain), 2).any()
    ring = [pair for i in range(50) for pair in [(i, i), (i, (i + 1) % 50)]]
    assert k_core(to_tensor(ring), 2).all()
    tail = [(49, 50), (50, 50)]
    assert k_core(to_tensor(ring + tail), 2).tolist() == [True] * 100 + [False] * 2


@given(PAIRS, st.integers(1, 4))
def test_k_core_matches_brute_force(pairs: set[tuple[int, int]], k: int) -> None:
    expected = set(pairs)
    while True:
        users = Counter(user for user, _ in expected)
        items = Counter(item for _, item in expected)
        good = {(u, i) for u, i in expected if users[u] >= k and items[i] >= k}
        if good == expected:
            break
        expected = good
    order = list(pairs)
    mask = k_core(to_tensor(order), k)
    assert mask.tolist() == [pair in expected for pair in order]


def test_k_core_errors() -> None:
    for k in (0, '2', 2.5, True):
        with pytest.raises(ValueError, match=rf"'k' needs to be .*\(got {k!r}\)"):
            k_core(to_tensor([(0, 0)]), k)  # type: ignore[arg-type]


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_times_need_to_be_finite(value: float) -> None:
    time = torch.tensor([1.0, value, 3.0])
    for split in (time_split, leave_one_out_split):
        with pytest.raises(ValueError, match="'time' needs to be finite"):
            split(pairs_of(3), time)


@pytest.mark.parametrize('dtype', [torch.long, torch.double])
def test_a_split_may_begin_at_any_pair_of_numbers(dtype: torch.dtype) -> None:
    edge_index, time = torch.zeros(2, 8).long(), torch.arange(8).to(dtype)
    expected = time_split(edge_index, time, split_at=(4, 6))
    assert expected.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert torch.equal(
        time_split(edge_index, time, split_at=np.array([4, 6])), expected
    )
    label = time_split(edge_index, time, split_at=(3, float('inf')))
    assert label.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    data = graph_from_interactions(
        pd.DataFrame({'user_id': 0, 'item_id': range(8), 'time': range(8)}),
        timestamp='time',
        split='time',
        split_at=np.array([9, 10]),
    )
    assert data['user', 'interacts', 'item'].edge_index.size(1) == 8


@pytest.mark.filterwarnings('error')
def test_times_that_drop_nothing_warn_of_nothing():
    label = time_split(
        torch.zeros(2, 8, dtype=torch.long), torch.arange(8), split_at=(4, 6)
    )
    assert label.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(('val_ratio', 'test_ratio'), [(-0.1, 0.1), (0.6, 0.4)])
@pytest.mark.parametrize('split', ['random', 'leave_one_out'])
def test_ratios_are_checked_whatever_the_split(split, val_ratio, test_ratio):
    frame = pd.DataFrame({'user_id': 0, 'item_id': range(8)})
    with pytest.raises(ValueError, match='of sum < 1'):
        graph_from_interactions(
            frame, split=split, val_ratio=val_ratio, test_ratio=test_ratio
        )
