import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import IdMap, as_ids, set_ids

INTEGERS = st.integers(-(2**63), 2**63 - 1)
STRINGS = st.text(min_size=1).filter(lambda text: not text.endswith('\0'))
ID_LISTS = st.lists(INTEGERS, unique=True) | st.lists(STRINGS, unique=True)


def test_id_map() -> None:
    items = IdMap(['B00A1', 'B00B2', 'B00C3'])
    assert str(items) == 'IdMap(3)'
    assert len(items) == 3
    assert items.ids == ['B00A1', 'B00B2', 'B00C3']
    assert items.encode(['B00C3', 'B00A1', 'B00C3']).tolist() == [2, 0, 2]
    assert items.encode([]).dtype == items.encode(['B00A1']).dtype == torch.int64
    assert items.decode(torch.tensor([[1, 0], [-1, 2]])) == [
        ['B00B2', 'B00A1'],
        [None, 'B00C3'],
    ]
    assert items.decode(torch.tensor(2)) == 'B00C3'
    assert items.decode([0]) == ['B00A1']
    assert items.decode(torch.empty(2, 0, dtype=torch.long)) == [[], []]
    assert items.get('B00B2') == 1
    assert items.get('B00') is None
    assert items.get('B00', -1) == -1
    assert 'B00C3' in items
    assert 'B00' not in items
    assert 2 not in items
    assert None not in items


def test_id_map_of_integers() -> None:
    users = IdMap([30, 10])
    assert users.encode([10, 30]).tolist() == [1, 0]
    assert users.decode(torch.tensor([0, -1])) == [30, None]
    assert users.get(10) == users.get(np.int64(10)) == 1
    assert users.get(10.0) == users.get(Decimal(10)) == 1
    for value in ['10', 10.5, True, 1, None, 2**70]:
        assert value not in users
    assert 1 not in IdMap(['1'])
    assert True not in IdMap([0, 1])


def test_id_map_of_graph() -> None:
    data = HeteroData()
    data['item'].num_nodes = 3
    assert IdMap.of(data, 'item').ids == [0, 1, 2]
    data['item'].ids = ['x', 'y', 'z']
    assert IdMap.of(data, 'item') == IdMap(['x', 'y', 'z'])
    set_ids(data, 'item', ['x', 'y', 'z'])
    assert IdMap.of(data, 'item') == IdMap(['x', 'y', 'z'])


def test_id_map_equality() -> None:
    assert IdMap([1, 2]) == IdMap(range(1, 3))
    assert IdMap([]) == IdMap(range(0))
    assert IdMap([1, 2]) != IdMap([2, 1])
    assert IdMap([1, 2]) != IdMap(['1', '2'])
    assert IdMap(['a']) != ['a']


@pytest.mark.parametrize(
    'ids',
    [
        ('a', 'b'),
        np.array(['a', 'b']),
        np.array(['a', 'b'], dtype=object),
        pd.Series(['a', 'b']),
        pd.Series(['a', 'b'], dtype='category'),
        pd.Index(['a', 'b']),
        [np.str_('a'), np.str_('b')],
    ],
)
def test_id_map_of_other_sequences_of_strings(ids: Any) -> None:
    out = IdMap(ids)
    assert out.ids == ['a', 'b']
    assert {type(id_) for id_ in out.ids} == {str}
    assert IdMap(['b', 'a']).encode(ids).tolist() == [1, 0]


@pytest.mark.parametrize(
    'ids',
    [
        (3, 1),
        range(3, 0, -2),
        np.array([3, 1], dtype=np.uint8),
        pd.Series([3, 1], dtype='Int64'),
        torch.tensor([3, 1], dtype=torch.int32),
        [np.int16(3), 1],
    ],
)
def test_id_map_of_other_sequences_of_integers(ids: Any) -> None:
    out = IdMap(ids)
    assert out.ids == [3, 1]
    assert {type(id_) for id_ in out.ids} == {int}
    assert IdMap([1, 3]).encode(ids).tolist() == [1, 0]


@given(ID_LISTS, st.randoms())
def test_id_map_round_trip(ids: list[Any], random: Any) -> None:
    items = IdMap(ids)
    assert items.ids == ids
    some = [random.choice(ids) for _ in ids]
    index = items.encode(some)
    assert index.tolist() == [ids.index(id_) for id_ in some]
    assert items.decode(index) == some
    assert [items.get(id_) for id_ in ids] == list(range(len(ids)))
    assert IdMap(items.ids) == items


@pytest.mark.parametrize(
    ('ids', 'message'),
    [
        (
            ['a', 'b', 'a', 'b'],
            "each id once (got 'a' in positions 0 and 2)",
        ),
        ([7, 7], 'each id once (got 7 in positions 0 and 1'),
        (
            ['a', None, None],
            'an id in every position (got None of type NoneType in position 1',
        ),
        (
            ['a', float('nan')],
            'an id in every position (got nan of type float in position 1',
        ),
        (
            pd.Series([1, None]),
            'an id in every position (got nan of type float in position 1',
        ),
        (
            pd.Series([1, None], dtype='Int64'),
            'an id in every position (got',
        ),
        (
            ['a', 1],
            "either strings or integers, not both (got 'a' in position 0 and 1 in",
        ),
        ([1, 2, 'a'], "not both (got 1 in position 0 and 'a' in position 2)"),
        (
            [1.5, 2.0],
            'strings or integers (got 1.5 of type float in position 0, and 1 such',
        ),
        ([1, True], '(got True of type bool in position 1'),
        ([b'\xe4'], "(got b'\\xe4' of type bytes in position 0"),
        ([['a'], ['b']], "(got ['a'] of type list in position 0"),
        (['a', ''], "'ids' needs to hold non-empty ids (got '' in position 1)"),
        (
            ['a', '\ud83d\ude00', 'b\udc00'],
            r"ids of valid Unicode (got '\ud83d\ude00' in position 1, with half",
        ),
        (['a', 'b\udc00'], r"(got 'b\udc00' in position 1, with half of a surrogate"),
        ([1, 2**63], 'at most 64 bits'),
        ('abc', "a one-dimensional sequence of ids (got str 'abc')"),
        (None, 'a one-dimensional sequence of ids (got NoneType None)'),
        ({'a': 1}, "a one-dimensional sequence of ids (got dict {'a': 1})"),
        (np.zeros((2, 2), dtype=int), 'a one-dimensional sequence of ids (got ndarray'),
        (torch.tensor(1), 'a one-dimensional sequence of ids (got ndarray'),
    ],
)
def test_id_map_errors(ids: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        IdMap(ids)


def test_encode_errors() -> None:
    items = IdMap(['a', 'b'])
    message = "needs to hold known ids (got 2 unknown of 3: 'x', 'y')"
    with pytest.raises(ValueError, match=re.escape(message)):
        items.encode(['x', 'a', 'y', 'x'])
    assert items.find(['x', 'a', 'y', 'b']).tolist() == [-1, 0, -1, 1]
    many = [f'x{i}' for i in range(7)]
    message = "(got 7 unknown of 7: 'x0', 'x1', 'x2', 'x3', 'x4', ...)"
    with pytest.raises(ValueError, match=re.escape(message)):
        items.encode(many)
    message = "strings such as 'a' (got integers such as 3)"
    with pytest.raises(ValueError, match=re.escape(message)):
        items.encode([3])
    with pytest.raises(ValueError, match='1 unknown of 1'):
        IdMap([]).encode(['a'])
    with pytest.raises(ValueError, match='an id in every position'):
        items.encode(['a', None])  # type: ignore[list-item]


def test_decode_errors() -> None:
    items = IdMap(['a', 'b'])
    for wrong in [2, -2]:
        message = f'indices from 0 to 1, or -1 for none (got {wrong})'
        with pytest.raises(ValueError, match=re.escape(message)):
            items.decode(torch.tensor([0, wrong]))


def test_as_ids() -> None:
    assert as_ids([2, 2]).dtype == np.int64
    assert as_ids(['b', 'a', 'b']).tolist() == ['b', 'a', 'b']
    assert as_ids([]).tolist() == []
    with pytest.raises(ValueError, match="'catalog' needs to hold an id"):
        as_ids([None], 'catalog')
