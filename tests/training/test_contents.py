import enum
import functools
import json
import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor

from lgmrec_pyg.training.contents import contents, same_contents


def same(a, b):
    a, b = (json.loads(json.dumps(contents(x), allow_nan=False)) for x in (a, b))
    return same_contents(a, b)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


class Side(enum.Flag):
    NONE = 0
    LEFT = 1
    RIGHT = 2


INDEX = torch.tensor([[0, 1, 2], [1, 0, 2]])
DIFFERENT = [
    *([1, 11], [11, 1], [1, 1, 1], (1, 11), [111], 111, '111', b'111'),
    *({'a': 1, 'b': 2}, {'a1b': 2}, {'a': {'b': 2}}, {'a1': {'b': 2}}),
    *([[1], [2, 3]], [[1, 2], [3]], [[], 1], [[1]], [1, []], [], (), {}, None, 0),
    *({1: 'a'}, {'1': 'a'}, {'\ud800': 1}, '\ud800', 1.0, 1, True, 1 + 0j),
    *({1, 2}, {1, 3}, frozenset({1, 2}), {1}, set(), {(1, 2)}),
    *(np.float32(3), np.float32(4), np.int64(3), np.int64(4), np.bool_(True)),
    *(np.ones(3), np.zeros(3), np.ones((3, 1)), np.ones(3, np.int64)),
    *(np.array(['a', 'b']), np.array(['a', 'c']), np.array([1, 'a'], dtype=object)),
    *(np.array(['2024-01-01'], 'M8[s]'), np.array(['2024-01-02'], 'M8[s]')),
    *(torch.float32, torch.float64, torch.device('cpu'), torch.device('cuda', 1)),
    *(Color.RED, Color.BLUE, Shade.RED, Side.LEFT, Side.LEFT | Side.RIGHT, Side.NONE),
    *(max, min, functools.partial(max, 1), functools.partial(max, 2)),
    *(functools.partial(min, 1), functools.partial(max, key=1), range(3), slice(3)),
    *(math.nan, math.inf, -math.inf, [math.nan], torch.tensor(math.nan)),
    *(torch.triu(torch.full((3, 3), -math.inf), k) for k in range(3)),
    *(torch.ones(3), torch.ones(3, 1), torch.ones(3).double(), torch.ones(3).long()),
    *(torch.ones(2), [torch.ones(2), torch.zeros(2)], [torch.zeros(2), torch.ones(2)]),
    *(INDEX, INDEX.flip(0)),
]


def test_all_that_differs_is_told_apart():
    for a, b in combinations(DIFFERENT, 2):
        assert not same(a, b), (a, b)


@pytest.mark.parametrize('value', DIFFERENT, ids=range(len(DIFFERENT)))
def test_all_values_are_the_same_as_themselves(value):
    assert same(value, value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text('1a', max_size=2),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text('1a'), x, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_nested_containers(a, b):
    assert same(a, b) == (repr_of(a) == repr_of(b))


def repr_of(value):
    return json.dumps(value, sort_keys=True)


def test_order_counts_in_no_set_and_no_dictionary():
    a, b = {0, 8}, {8, 0}
    assert list(a) != list(b)
    assert same(a, b)
    assert same({'a': 1, 'b': 2}, {'b': 2, 'a': 1})


def test_arrays_by_their_values_alone():
    x = np.random.default_rng(0).normal(size=(4, 3))
    assert same(x, np.asfortranarray(x))
    assert same(x, x[::-1].copy()[::-1])
    assert same(x, x.astype('>f8').astype('<f8'))
    assert same(x, x * (1 + 1e-9))
    assert not same(x, x[::-1])
    frozen = x.copy()
    frozen.flags.writeable = False
    assert same(x, frozen)


def test_forms_of_one_graph():
    assert same(INDEX, EdgeIndex(INDEX, sparse_size=(3, 3)))


@pytest.mark.filterwarnings('ignore:Sparse')
def test_sparse_tensors():
    values = [
        torch.eye(3).to_sparse(),
        torch.eye(3).to_sparse_csr(),
        torch.ones(3, 3).triu().to_sparse_csr(),
        torch.ones(3, 3).triu().to_sparse_csc(),
        torch.sparse_coo_tensor(INDEX[:, :1], [1.0], (3, 3)),
        torch.sparse_coo_tensor(INDEX[:, :1], [1.0], (3, 4)),
    ]
    for i, a in enumerate(values):
        assert [same(a, b) for b in values] == [i == j for j in range(len(values))]


@pytest.mark.skipif(not WITH_TORCH_SPARSE, reason="needs 'torch-sparse'")
def test_shapes_of_sparse_tensors():
    adj = SparseTensor(row=INDEX[0], col=INDEX[1], sparse_sizes=(3, 3))
    assert same(adj, adj.clone())
    assert not same(adj, SparseTensor(row=INDEX[0], col=INDEX[1], sparse_sizes=(3, 4)))
