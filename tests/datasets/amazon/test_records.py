import gzip
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from amazon_files import product, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from lgmrec_pyg.datasets.amazon import records
from lgmrec_pyg.datasets.amazon.records import find_gzip_problem, read_records


def test_read_records(tmp_path: Path) -> None:
    record = product('B000000001', description='It\'s "new"\\s \u2014 \n', none=None)
    lines = [json.dumps(record), repr(record), '', "{'a': u'\\xe9', 'b': (1, True)}"]
    path = write_lines(tmp_path / 'a.json.gz', lines)
    out = list(read_records(str(path)))
    assert out == [record, record, {'a': 'é', 'b': (1, True)}]

    out = list(read_records(str(path), lambda line: b'asin' not in line))
    assert out == [{'a': 'é', 'b': (1, True)}]


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


@given(st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=5))
@settings(max_examples=50, deadline=None)
def test_read_records_of_any_content(
    tmp_path_factory: pytest.TempPathFactory, expected: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp('records')
    for i, dump in enumerate([json.dumps, repr, ascii]):
        path = write_lines(folder / str(i), [dump(record) for record in expected])
        assert list(read_records(str(path))) == expected


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
def test_read_records_executes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_lines(tmp_path / 'a.json.gz', ['{"a": 1}', line])
    with pytest.raises(ValueError, match=r'a JSON object or a .* in line 2\)') as info:
        list(read_records(str(path)))
    assert len(str(info.value)) < 400
    assert os.listdir(tmp_path) == ['a.json.gz']


def test_read_records_is_quiet(tmp_path: Path) -> None:
    path = write_lines(tmp_path / 'a.json.gz', [r"{'a': '\d'}"])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert list(read_records(str(path))) == [{'a': r'\d'}]


def test_read_records_of_long_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, 'MAX_LINE_SIZE', 20)
    path = write_lines(tmp_path / 'a.json.gz', ['{"a": "345678901"}'])
    assert list(read_records(str(path))) == [{'a': '345678901'}]
    path = write_lines(tmp_path / 'a.json.gz', ['{}', '{"a": "34567890123"}'])
    message = 'of at most 20 bytes (got b\'{"a": "34567890123"}\'... of more in line 2)'
    with pytest.raises(ValueError, match=re.escape(message)):
        list(read_records(str(path)))


def test_read_records_of_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / 'a.json.gz'
    path.write_bytes(gzip.compress('{"a": "é"}\n'.encode('latin-1')))
    with pytest.raises(ValueError, match=r"UTF-8 text \(got 'utf-8' .* in line 1\)"):
        list(read_records(str(path)))


def test_read_records_of_damaged_files(tmp_path: Path) -> None:
    lines = [json.dumps({'a': os.urandom(99).hex()}) for _ in range(2_000)]
    path = write_lines(tmp_path / 'a.json.gz', lines)
    content = path.read_bytes()
    assert find_gzip_problem(str(path)) is None
    middle = len(content) // 2
    damages = {
        'ended before the end': content[:middle],
        'CRC|invalid|code|distance': content[:middle]
        + b'\0' * 9
        + content[middle + 9 :],
        'Not a gzipped file': b'<html>Please log in</html>',
        'CRC check failed': content[:-8] + b'\1\2\3\4' + content[-4:],
    }
    for reason, damaged in damages.items():
        path.write_bytes(damaged)
        assert re.search(reason, find_gzip_problem(str(path)) or '')
        message = rf"a\.json\.gz' is damaged near line \d+ \(.*({reason}).*: delete it"
        with pytest.raises(ValueError, match=message):
            list(read_records(str(path)))
