import gzip
import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from lgmrec_pyg.datasets import json_lines
from lgmrec_pyg.datasets.json_lines import find_gzip_problem, read_json_lines
from lgmrec_pyg.datasets.json_values import to_number


def keep(value: Any) -> Any:
    return value


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)
    return path


ENDINGS = pytest.mark.parametrize('name', ['a.json', 'a.json.gz'])


@ENDINGS
def test_read_json_lines(tmp_path: Path, name: str) -> None:
    text = '\ufeff{"a": 1, "b": "\u00e4\\n", "c": []}\n\n{"b": null, "a": [2]}'
    path = write(tmp_path / name, text.encode())
    out = list(read_json_lines(path))
    assert out == [{'a': 1, 'b': 'ä\n', 'c': []}, {'a': [2], 'b': None}]
    out = list(read_json_lines(str(path), {'b': str, 'a': keep}))
    assert out == [{'b': 'ä\n', 'a': 1}, {'b': 'None', 'a': [2]}]
    assert [list(record) for record in out] == [['b', 'a']] * 2
    out = list(read_json_lines(path, select=lambda line: b'c' not in line))
    assert out == [{'a': [2], 'b': None}]
    path = write(tmp_path / name, b'1\n2')
    out = list(read_json_lines(path, parse=lambda text: {'a': text}))
    assert out == [{'a': '1'}, {'a': '2'}]


@ENDINGS
@pytest.mark.parametrize(
    ('line', 'message'),
    [
        (b'{"a": 1', "(got b'{\"a\": 1': Expecting ',' delimiter: "),
        (b"{'a': 1}", 'needs to hold a JSON object per line (got'),
        (b'{"a": "\xff"}', "'utf-8' codec can't decode byte 0xff"),
        (b'[' * 10**5, 'needs to hold a JSON object per line (got'),
        (b'{"a": ' + b'9' * 10**4 + b'}', 'a JSON object per line (got'),
        (b'[1]', "a JSON object per line (got b'[1]': a list, in line 2)"),
        (
            b'{"b": 1, "c": 2}',
            "objects with the key 'a' (got the keys ['b', 'c'] in line 2)",
        ),
        (b'{"a": true}', "a finite number in 'a' (got True in line 2)"),
        (b'{"a": [' + b'"x", ' * 10**4 + b'1]}', "a finite number in 'a' (got ['x'"),
        (b'{"a": ' + b'[' * 900 + b']' * 900 + b'}', "in 'a' (got [[[[["),
    ],
)
def test_read_json_lines_errors(
    tmp_path: Path, name: str, line: bytes, message: str
) -> None:
    path = write(tmp_path / name, b'{"a": 0}\n' + line + b'\n')
    records = read_json_lines(path, {'a': to_number})
    assert next(records) == {'a': 0}
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        next(records)
    assert str(info.value).startswith(f"'{path}' needs to hold ")
    assert str(info.value).endswith(' in line 2)')
    assert len(str(info.value)) < 400


@ENDINGS
def test_read_json_lines_of_long_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(json_lines, 'MAX_LINE_SIZE', 20)
    path = write(tmp_path / name, b'{"a": "345678901"}\n')
    assert list(read_json_lines(path)) == [{'a': '345678901'}]
    path = write(tmp_path / name, b'{}\n{"a": "34567890123"}\n')
    message = 'of at most 20 bytes (got b\'{"a": "34567890123"}\'... of more in line 2)'
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        list(read_json_lines(path))
    assert str(info.value).startswith(f"'{path}' needs to hold lines")


@ENDINGS
def test_read_json_lines_holds_no_long_line_in_memory(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, b'{"a": "' + b'x' * 2**26 + b'"}')
    tracemalloc.start()
    with pytest.raises(ValueError, match=r'lines of at most 4,194,304 bytes .* line 1'):
        list(read_json_lines(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


def test_read_json_lines_of_damaged_files(tmp_path: Path) -> None:
    lines = [json.dumps({'a': os.urandom(99).hex()}) for _ in range(2_000)]
    path = write(tmp_path / 'a.json.gz', '\n'.join(lines).encode())
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
            list(read_json_lines(path))


@pytest.mark.parametrize('ending', ['bz2', 'xz', 'zip'])
def test_read_json_lines_of_other_compressions(tmp_path: Path, ending: str) -> None:
    pd = pytest.importorskip('pandas')
    path = tmp_path / f'a.json.{ending}'
    pd.DataFrame({'a': [1]}).to_json(path, orient='records', lines=True)
    with pytest.raises(ValueError, match=r'a JSON object per line .* in line 1\)'):
        list(read_json_lines(path))


def test_read_json_lines_of_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='nowhere'):
        list(read_json_lines(tmp_path / 'nowhere'))
