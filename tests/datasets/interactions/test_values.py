import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgmrec_pyg.datasets.interactions.source import TableSource
from lgmrec_pyg.datasets.interactions.values import read_ratings, read_timestamps

NOW = '2024-02-29T12:34:56.12345678'


def table(values: Any) -> TableSource:
    return TableSource(pd.DataFrame({'at': pd.Series(values)}), "'interactions'", 'row')


def objects(*values: Any) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def ranks(values: Iterable[Any]) -> list[int]:
    order = sorted(set(values))
    return [order.index(value) for value in values]


@pytest.mark.parametrize(
    'times',
    [
        pd.to_datetime([NOW + '2', NOW + '1', NOW + '0']),
        pd.to_datetime([NOW + '2', NOW + '1', NOW + '0'], utc=True),
        pd.to_datetime(['2024-03-01', '2024-02-29', '2000-01-01']).as_unit('s'),
        [NOW + '2Z', NOW + '1Z', '2024-01-01'],
        [NOW + '2000', NOW + '1', '2024-01-01'],
        objects(pd.Timestamp(NOW + '1'), pd.Timestamp(NOW), date(2024, 1, 1)),
        pd.to_timedelta([3, 2, 1]),
        objects(timedelta(3), timedelta(2), timedelta(1)),
        pd.Categorical(['3.5', '2', '1']),
        pd.array([3, 2, 1], dtype='UInt64'),
        pd.arrays.SparseArray([3, 2, 0]),
        np.array([2**63, 5, 4], dtype=np.uint64),
        objects(2**63, 5, -4),
        [str(2**64), '1.5', '1'],
        [str(2**62), '1.5', '1'],
        ['1700000000.125', '1700000000.1249', '1e-3'],
        objects(Decimal('3.5'), np.float32(2.5), np.int64(2)),
        [True, False, False],
    ],
)
def test_read_timestamps(times: Any) -> None:
    values = read_timestamps(table(times), 'at').tolist()
    assert values[0] > values[1] >= values[2]
    assert values[1] > values[2] or times[2] is False


@pytest.mark.parametrize('unit', ['timestamp', 'duration', 'date32'])
def test_read_timestamps_of_arrow(unit: str) -> None:
    pa = pytest.importorskip('pyarrow')
    kind = pa.date32() if unit == 'date32' else getattr(pa, unit)('ns')
    days = np.array([19800, 19799, 19798])
    values = days.astype(np.int32) if unit == 'date32' else days * 864 * 10**11 + days
    array = pd.array(pa.array(values).cast(kind), dtype=pd.ArrowDtype(kind))
    steps = np.diff(read_timestamps(table(array), 'at'))
    assert steps[0] == steps[1] < 0
    assert unit == 'date32' or steps[0] == -864 * 10**11 - 1


@given(
    st.lists(
        st.integers(-(2**70), 2**70).map(str)
        | st.decimals(-(10**20), 10**20, places=9).map(str)
        | st.sampled_from(['5', '5.0', '50e-1', '+5', str(2**53), str(2**53 + 1)]),
        min_size=1,
    )
)
@settings(max_examples=200, deadline=None)
def test_read_timestamps_of_any_numbers(times: list[str]) -> None:
    exact = list(map(Decimal, times))
    fit = all(-(2**63) <= x < 2**63 and '.' not in str(x) for x in exact)
    try:
        values = read_timestamps(table(times), 'at').tolist()
    except ValueError:
        assert not fit
        assert ranks(map(float, exact)) != ranks(exact)
    else:
        assert ranks(values) == ranks(exact)


@pytest.mark.parametrize(
    ('times', 'message'),
    [
        (
            ['1', '1700000000000000001', '1700000000000000002.5'],
            "numbers that differ in double precision if they differ at all in column 'a"
            "t' (got '1700000000000000001' in row 1, and 2 such values in total)",
        ),
        (
            ['1700000000.123456789', '1700000000.123456788'],
            'differ in double precision',
        ),
        (objects(1700000000000000001, 1700000000000000002, 0.5), 'double precision'),
        (objects(Decimal(2**60 + 1), Decimal(2**60), 0.5), 'in double precision'),
        (np.array([2**63, 2**63 + 1], dtype=np.uint64), 'got 9223372036854775808 in r'),
        ([NOW + '01', NOW + '02'], "no finer than nanoseconds in column 'at' (got '2"),
        (pd.to_timedelta([1, None]), '(got NaT in row 1, and 1 such values in total)'),
        (objects(pd.Timestamp(NOW), pd.NaT), '(got NaT in row 1'),
        (objects(pd.Timestamp(NOW), 5), "dates throughout in column 'at' (got Time"),
        (['2024-01-01', 'today'], 'dates such as 2024-01-31 or 2024-01-31 23:59:59 in'),
        (objects(pd.Timestamp(NOW), 'now'), "(got 'now' in row 1"),
        (objects('2024-01-01', None), 'in row 1, and 1 such values in total)'),
        (pd.Categorical(['2024-01-01', 'now']), "(got 'now' in row 1"),
        (pd.array(['2024-01-01', None], dtype='string'), '(got <NA> in row 1'),
        ([1j, 2], 'numbers or dates such as'),
    ],
)
def test_read_timestamps_errors(times: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_timestamps(table(times), 'at')


def test_read_ratings() -> None:
    ratings = read_ratings(table(np.array([2**63, 5], dtype=np.uint64)), 'at')
    assert ratings.tolist() == [2.0**63, 5]
    assert read_ratings(table(['4.5', '3']), 'at').tolist() == [4.5, 3]


@pytest.mark.parametrize(
    'ratings', [pd.to_timedelta([1, None]), pd.to_datetime(['2024']), [1j], ['x']]
)
def test_read_ratings_errors(ratings: Any) -> None:
    with pytest.raises(ValueError, match="needs to hold finite numbers in column 'at'"):
        read_ratings(table(ratings), 'at')
