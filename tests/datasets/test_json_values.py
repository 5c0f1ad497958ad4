import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lgmrec_pyg.datasets.json_values import (
    to_id,
    to_labels,
    to_number,
    to_seconds,
    to_text,
    to_whole,
)


@pytest.mark.parametrize(
    ('convert', 'value', 'expected'),
    [
        (to_id, 'ä b', 'ä b'),
        (to_text, 'a\n', 'a\n'),
        (to_text, None, ''),
        (to_labels, None, []),
        (to_labels, ' a, b b,,', ['a', 'b b']),
        (to_labels, ['a, b', None, ''], ['a, b']),
        (to_number, 3, 3.0),
        (to_number, -2.5, -2.5),
        (to_number, 10**300, 1e300),
        (to_whole, 2**53, 2**53),
        (to_whole, -7.0, -7),
        (to_seconds, '1970-01-02 00:00:09', 86_409),
        (to_seconds, '1970-01-01T01:00:00+01:00', 0),
        (to_seconds, '0001-01-01', -62_135_596_800),
    ],
)
def test_values(convert: Callable, value: Any, expected: Any) -> None:
    out = convert(value)
    assert out == expected
    assert type(out) is type(expected)


@pytest.mark.parametrize(
    ('convert', 'values', 'message'),
    [
        (to_id, [None, '', 3, ['a'], 'a\ud800'], 'an id of valid Unicode'),
        (to_text, [3, False, ['a'], {}], 'a text or nothing'),
        (to_labels, [3, {'a': 1}, [3], [['a']]], 'a text or nothing'),
        (
            to_number,
            [None, True, '5', [5], 10**400, *json.loads('[1e400, NaN, -Infinity]')],
            'a finite number',
        ),
        (to_whole, [2**53 + 1, -(2**53) - 1, 1.5, 1e300], 'a whole number of at most'),
        (to_whole, [True, '5', 10**400, None], 'a finite number'),
        (to_seconds, [None, 3, '', '07/07/2018', '2018-02-30'], 'a date such as 2018'),
    ],
)
def test_values_errors(convert: Callable, values: list[Any], message: str) -> None:
    for value in values:
        with pytest.raises(ValueError, match=message):
            convert(value)


@given(st.datetimes(timezones=st.timezones()))
def test_to_seconds_of_any_date(moment: datetime) -> None:
    epoch = datetime.fromisoformat('1970-01-01T00:00:00+00:00')
    expected = int((moment - epoch).total_seconds())
    assert abs(to_seconds(moment.isoformat()) - expected) <= 1
