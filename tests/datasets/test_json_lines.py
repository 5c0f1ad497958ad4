import gzip
import re
from pathlib import Path

import pytest

from lgmrec_pyg.datasets.json_lines import read_json_lines


def test_read_json_lines(tmp_path: Path) -> None:
    text = '{"a": 1, "b": "\u00e4\\n", "c": []}\n\n{"b": null, "a": [2]}'
    path = tmp_path / 'a.json'
    path.write_text(text, encoding='utf-8')
    expected = [(1, [1, 'ä\n']), (3, [[2], None])]
    assert list(read_json_lines(path, ['a', 'b'])) == expected
    path = tmp_path / 'a.json.gz'
    path.write_bytes(gzip.compress(text.encode()))
    assert list(read_json_lines(str(path), ['a', 'b'])) == expected


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        (b'{"a": 1', "(got b'{\"a\": 1' in line 2: Expecting ',' delimiter"),
        (b"{'a': 1}", 'needs to hold a JSON object per line (got'),
        (b'{"a": "\xff"}', 'in line 2: '),
        (b'[' * 10**5, 'in line 2: '),
        (b'[1]', 'a JSON object per line (got list in line 2)'),
        (
            b'{"b": 1, "c": 2}',
            "objects with the key 'a' (got the keys ['b', 'c'] in line 2)",
        ),
    ],
)
def test_read_json_lines_errors(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / 'a.json'
    path.write_bytes(b'{"a": 0}\n' + line + b'\n')
    records = read_json_lines(path, ['a'])
    assert next(records) == (1, [0])
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        next(records)
    assert str(info.value).startswith(f"'{path}'")


def test_read_json_lines_of_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / 'a.json.gz'
    path.write_bytes(gzip.compress(b'{"a": 0}\n' * 9)[:-4])
    with pytest.raises(ValueError, match=r'needs to be complete \(.*after line 9'):
        list(read_json_lines(path, ['a']))
    path.write_bytes(b'{"a": 0}\n')
    with pytest.raises(ValueError, match='Not a gzipped file'):
        list(read_json_lines(path, ['a']))
    with pytest.raises(FileNotFoundError, match='nowhere'):
        list(read_json_lines(tmp_path / 'nowhere', []))
