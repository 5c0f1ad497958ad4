from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lgmrec_pyg.datasets import k_core

PAIRS = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 6)), max_size=40)


def to_tensor(pairs: list[tuple[int, int]]) -> Tensor:
    return torch.tensor(pairs, dtype=torch.long).view(-1, 2).t()


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
