import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from amazon_files import product
from hypothesis import given, settings
from hypothesis import strategies as st

from lgmrec_pyg.datasets.amazon.records import parse_record, to_word


def test_parse_record() -> None:
    record = product('B000000001', description='It\'s "new"\\s \u2014 \n', none=None)
    for text in [json.dumps(record), repr(record)]:
        assert parse_record(text) == record
    out = parse_record("{'a': u'\\xe9', 'b': (1, True)}")
    assert out == {'a': 'é', 'b': (1, True)}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text(), children, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), values, max_size=4))
@settings(deadline=None)
def test_parse_record_of_any_content(expected: dict[str, Any]) -> None:
    for dump in [json.dumps, repr, ascii]:
        assert parse_record(dump(expected)) == expected


@pytest.mark.parametrize(
    'line',
    [
        "{'a': __import__('os').mkdir('MARK')}",
        "{'a': open('MARK', 'w')}",
        "[x for x in ('MARK',)]",
        "{'a': 'b'",
        '["a"]',
        '3',
        '[' * 100_000,
        '{"a":' * 50_000,
        '-' * 100_000 + '1',
        "{'a': " * 150 + '1',
        '(' * 3_000,
        "{'a': " + '1+' * 100_000 + '1j}',
        '{[]: 1}',
        '{"a": 1}\0',
        '{"a": ' + '9' * 10_000 + '}',
    ],
)
def test_parse_record_executes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='no dictionary literal either'):
        parse_record(line)
    assert os.listdir(tmp_path) == []


def test_parse_record_is_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert parse_record(r"{'a': '\d'}") == {'a': r'\d'}


def test_to_word() -> None:
    assert to_word('Aé1') == 'Aé1'
    for value in ['a b', ' a', 'a\n']:
        with pytest.raises(ValueError, match='an id without spaces'):
            to_word(value)
    for value in [None, 3, '', 'a\ud800']:
        with pytest.raises(ValueError, match='an id of valid Unicode'):
            to_word(value)
