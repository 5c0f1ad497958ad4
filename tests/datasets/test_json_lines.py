import gzip
import json
import os
import re
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import pytest

from lgmrec_pyg.datasets import json_lines
from lgmrec_pyg.datasets.json_lines import read_json_lines, read_reviews

KEYS = ('user', 'item', 'stars', 'at')
REVIEW = {'user': 'u1', 'item': 'i1', 'stars': 4, 'at': 99}


def write(path: Path, *lines: str | bytes) -> Path:
    content = b'\n'.join(x.encode() if isinstance(x, str) else x for x in lines)
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)
    return path


@pytest.mark.parametrize('name', ['a.json', 'a.json.gz'])
def test_read_json_lines(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, '\ufeff{"a": "\u00e4\\n", "b": []}', '', '{"a": 1}')
    assert list(read_json_lines(path, dict)) == [{'a': 'ä\n', 'b': []}, {'a': 1}]
    assert list(read_json_lines(str(path), lambda x: x['a'])) == ['ä\n', 1]
    assert list(read_json_lines(path, len, lambda line: b'b' in line)) == [2]


@pytest.mark.parametrize('name', ['a.json', 'a.json.gz'])
@pytest.mark.parametrize(
    'line',
    [
        b'{"user": "u1", "item',
        b'{"user": "\xff"}',
        b'[' * 10**5,
        b'[1]',
        b'nan',
        *(
            json.dumps(REVIEW | {key: value}).encode()
            for key, values in {
                'user': [None, '', 3, 'a b', ['a'], 'a\ud800'],
                'stars': [None, 'five', float('nan'), float('inf'), 10**400],
                'at': [None, 'x', float('inf')],
            }.items()
            for value in values
        ),
    ],
)
def test_read_reviews_skips_a_damaged_line(
    tmp_path: Path, name: str, line: bytes
) -> None:
    good = json.dumps(REVIEW)
    path = write(tmp_path / name, good, line, good)
    message = f"'{path}' holds damaged lines: 1 damaged of 3, the first one: line 2, "
    with pytest.warns(UserWarning, match=re.escape(message)):
        frame = read_reviews(path, KEYS)
    assert frame.to_dict('list') == {
        'user_id': ['u1'] * 2,
        'item_id': ['i1'] * 2,
        'rating': [4.0] * 2,
        'timestamp': [99] * 2,
    }


@pytest.mark.parametrize(('good', 'bad'), [(0, 1), (2, 2), (94, 6)])
def test_read_json_lines_of_which_little_is_left(
    tmp_path: Path, good: int, bad: int
) -> None:
    path = write(tmp_path / 'a.json', *['{}'] * good, *['{'] * bad)
    message = f'to hold undamaged lines (got {bad} damaged of {good + bad}'
    with pytest.raises(ValueError, match=re.escape(message)):
        list(read_json_lines(path, dict))
    path = write(tmp_path / 'a.json', *['{}'] * 95, *['{'] * 5)
    with pytest.warns(UserWarning, match='5 damaged of 100, .* line 96, '):
        assert len(list(read_json_lines(path, dict))) == 95


def test_read_reviews_in_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, 'CHUNK_SIZE', 2)
    lines = [json.dumps(REVIEW | {'at': i}) for i in range(5)]
    frame = read_reviews(write(tmp_path / 'a.json', *lines), KEYS)
    assert frame['timestamp'].tolist() == frame.index.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"a\.json' needs to hold undamaged lines"):
        read_reviews(write(tmp_path / 'a.json'), KEYS)


@pytest.mark.parametrize('name', ['a.json', 'a.json.gz'])
def test_read_json_lines_holds_no_long_line_in_memory(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, b'{"a": "' + b'x' * 2**26 + b'"}')
    tracemalloc.start()
    with pytest.raises(ValueError, match='needs to hold undamaged lines'):
        list(read_json_lines(path, dict))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


def test_read_json_lines_of_damaged_files(tmp_path: Path) -> None:
    lines = [json.dumps({'a': os.urandom(99).hex()}) for _ in range(2_000)]
    path = write(tmp_path / 'a.json.gz', *lines)
    content = path.read_bytes()
    middle = len(content) // 2
    for damaged in [
        content[:middle],
        content[:middle] + b'\0' * 9 + content[middle + 9 :],
        b'<html>Please log in</html>',
        content[:-8] + b'\1\2\3\4' + content[-4:],
    ]:
        path.write_bytes(damaged)
        message = r"a\.json\.gz' needs to (be|hold) undamaged"
        with pytest.raises(ValueError, match=message):
            list(read_json_lines(path, dict))
    with pytest.raises(FileNotFoundError, match='nowhere'):
        list(read_json_lines(tmp_path / 'nowhere', dict))


def test_read_json_lines_raises_what_its_caller_raises(tmp_path: Path) -> None:
    def consume(records: Any) -> None:
        for _ in records:
            raise KeyError('mine')

    path = write(tmp_path / 'a.json', '{}', '{}')
    with warnings.catch_warnings(), pytest.raises(KeyError, match='mine'):
        consume(read_json_lines(path, dict))
