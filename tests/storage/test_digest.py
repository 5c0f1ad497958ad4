import enum
import functools
import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor

from lgmrec_pyg.storage.digest import digest


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class Graph:
    edges: Any
    _cache: Any = None


class Options:
    def __init__(self, k):
        self.k = k
        self._cache = object()


INDEX = torch.tensor([[0, 1, 2], [1, 0, 2]])
DIFFERENT = [
    *([1, 11], [11, 1], [1, 1, 1], (1, 11), [111], 111, '111', b'111'),
    *({'a': 1, 'b': 2}, {'a1b': 2}, {'a': {'b': 2}}, {'a1': {'b': 2}}),
    *([[1], [2, 3]], [[1, 2], [3]], [[], 1], [[1]], [1, []], [], (), {}, None, 0),
    *({1: 'a'}, {'1': 'a'}, {'\ud800': 1}, '\ud800', 1.0, 1, True, 1 + 0j),
    *({1, 2}, {1, 3}, frozenset({1, 2}), {1}, set(), {(1, 2)}, Pair(1, 2), Pair(2, 1)),
    *(np.ones(3), np.zeros(3), np.ones((3, 1)), np.ones(3, np.int64)),
    *(np.array(['a', 'b']), np.array(['a', 'c']), np.array([1, 'a'], dtype=object)),
    *(np.array(['2024-01-01'], 'M8[s]'), np.array(['2024-01-02'], 'M8[s]')),
    *(torch.float32, torch.float64, torch.device('cpu'), torch.device('cuda', 1)),
    *(Color.RED, Color.BLUE, Shade.RED, Graph(1), Graph(INDEX), Options(1), Options(2)),
    *(max, min, functools.partial(max, 1), functools.partial(max, 2)),
    *(functools.partial(min, 1), functools.partial(max, key=1), range(3), slice(3)),
    *(math.nan, math.inf, -math.inf, [math.nan], torch.tensor(math.nan)),
    *(torch.ones(3), torch.ones(3, 1), torch.ones(3).double(), torch.ones(3).long()),
    *(torch.ones(2), [torch.ones(2), torch.zeros(2)], [torch.zeros(2), torch.ones(2)]),
    *(INDEX, INDEX.flip(0), torch.empty(0), torch.tensor(2.0), torch.tensor(True)),
]


def test_all_that_differs_is_told_apart():
    digests = [digest(x) for x in DIFFERENT]
    for i, j in combinations(range(len(DIFFERENT)), 2):
        assert digests[i] != digests[j], (DIFFERENT[i], DIFFERENT[j])
    assert digests == [digest(x) for x in DIFFERENT]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text('1a', max_size=2),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text('1a'), x, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_nested_containers(a, b):
    texts = [json.dumps(x, sort_keys=True) for x in (a, b)]
    assert (digest(a) == digest(b)) == (texts[0] == texts[1])


def test_what_does_not_count():
    x = torch.randn(4, 6)
    same = [
        ({0, 8}, {8, 0}),
        ({'a': 1, 'b': 2}, OrderedDict(b=2, a=1)),
        (Graph(INDEX, 1), Graph(INDEX, 2)),
        (Options(1), Options(1)),
        (x[:, ::2], x[:, ::2].clone()),
        (x.numpy(), np.asfortranarray(x.numpy())),
        (np.arange(3, dtype='>i8'), np.arange(3)),
        (np.int64(3), 3),
        (INDEX, EdgeIndex(INDEX, sparse_size=(3, 3))),
    ]
    for a, b in same:
        assert digest(a) == digest(b)


def test_objects_that_contain_themselves():
    a, b = Options(1), Options(2)
    a.other, b.other = a, b
    assert digest(a) == digest(a) != digest(b)


def test_values_may_be_left_out():
    x = {'a': (torch.ones(3), INDEX)}
    for other, is_same in [
        ({'a': (torch.zeros(3), INDEX)}, True),
        ({'a': (torch.ones(3).half(), INDEX)}, True),
        ({'a': (torch.ones(4), INDEX)}, False),
        ({'a': (torch.ones(3), INDEX.flip(0))}, False),
    ]:
        assert (digest(x, values=False) == digest(other, values=False)) == is_same
        assert digest(x) != digest(other)


@pytest.mark.filterwarnings('ignore:Sparse')
def test_sparse_tensors():
    values = [
        torch.eye(3).to_sparse(),
        torch.ones(3, 3).triu().to_sparse_csr(),
        torch.ones(3, 3).tril().to_sparse_csc(),
        torch.sparse_coo_tensor(INDEX[:, :1], [1.0], (3, 3)),
        torch.sparse_coo_tensor(INDEX[:, :1], [1.0], (3, 4)),
    ]
    if WITH_TORCH_SPARSE:
        values += [
            SparseTensor(row=INDEX[0], col=INDEX[1], sparse_sizes=(3, n))
            for n in (3, 4)
        ]
    digests = [digest(x) for x in values]
    assert len(set(digests)) == len(values)
    assert digests == [digest(x.clone()) for x in values]


class Scaled(nn.Module):
    def __init__(self, scale, mask=0.0):
        super().__init__()
        self.scale = scale
        self._cache = object()
        self.register_buffer('mask', torch.tensor(mask), persistent=False)


def test_modules_by_their_settings_and_weights():
    settings = [2, 2.5, 'mean', None, True, [1, 'a'], [1, 'b'], torch.relu, nn.GELU]
    models = [Scaled(value) for value in settings]
    models += [
        Scaled(2, mask=1.0),
        nn.Sequential(Scaled(2)),
        nn.ModuleList([Scaled(2)]),
    ]
    attention = [nn.MultiheadAttention(8, heads) for heads in (2, 4)]
    layers = [
        nn.TransformerEncoderLayer(8, 2, 16, norm_first=True),
        nn.TransformerEncoderLayer(8, 2, 16, activation='gelu'),
        nn.TransformerEncoderLayer(8, 4, 16, activation='gelu'),
    ]
    for same in (attention, layers):
        for model in same:
            model.load_state_dict(same[0].state_dict())
        models += same
    digests = [digest(model) for model in models]
    assert len(set(digests)) == len(models)
    assert [digest(model.eval()) for model in models] == digests
    models[0].name_or_path = 'elsewhere'
    assert digest(models[0]) == digests[0]
    with torch.no_grad():
        attention[0].in_proj_weight[0] += 1
    assert digest(attention[0]) != digests[models.index(attention[0])]
