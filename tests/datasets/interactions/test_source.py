import bz2
import gzip
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lgmrec_pyg.datasets.interactions.source import columns_of_edge_index, read_columns

HEADER = 'user_id,item_id,note\n'
COLUMNS = ['user_id', 'item_id']


def read(path: Path) -> list[list[str]]:
    return read_columns(str(path), COLUMNS, ['user', 'item']).frame.to_numpy().tolist()


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('a.csv', HEADER + '1,a,\n002,b,x\n'),
        ('a.csv', '\ufeff' + HEADER + '1,a,\n002,b,x'),
        ('a.csv', (HEADER + '1,a,\n002,b,x\n').replace('\n', '\r\n')),
        ('a.csv', HEADER + '\n1,a\n\n002,b,x\n\n'),
        ('a.csv', '"item_id","note","user_id"\n"a","x, ""y""\nz",1\n"b",,002\n'),
        ('a.CSV', HEADER + '1,a,\n002,b,x\n'),
        ('a.tsv', 'user_id\titem_id\n1\ta\n002\tb\n'),
        ('a.tsv', 'user_id\titem_id\tnote\n1\ta\t"x\n002\tb\t"\n'),
    ],
)
def test_read_columns_of_texts(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read(path) == [['1', 'a'], ['002', 'b']]
    (tmp_path / f'{name}.gz').write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / f'{name}.gz') == [['1', 'a'], ['002', 'b']]
    (tmp_path / f'{name}.bz2').write_bytes(bz2.compress(text.encode()))
    assert read(tmp_path / f'{name}.bz2') == [['1', 'a'], ['002', 'b']]


def test_read_columns_keeps_words_for_missing_values(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text(HEADER + 'NA,null,1\nNone,nan,1\n')
    assert read(path) == [['NA', 'null'], ['None', 'nan']]


def test_read_columns_counts_lines(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text(HEADER + '\n1,a,\n\n\n2,,\n')
    source = read_columns(str(path), COLUMNS, ['user', 'item'])
    assert source.name == f"'{path}'"
    assert source.frame.index.tolist() == [3, 6]
    assert source.place(np.array([False, True])) == 'line 6'


def test_read_columns_of_parquet(tmp_path: Path) -> None:
    pytest.importorskip('pyarrow')
    path = tmp_path / 'a.parquet'
    frame = pd.DataFrame({'item_id': ['a', 'b'], 'x': [0, 0], 'user_id': [1, 2]})
    frame.index = [7, 7]
    frame.to_parquet(path)
    assert read(path) == [[1, 'a'], [2, 'b']]
    message = "(got the columns ['item_id', 'x', 'user_id'"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_columns(str(path), ['user'], ['user'])
    path.write_bytes(b'PAR1')
    with pytest.raises(ValueError, match='needs to be a Parquet file'):
        read(path)


def test_read_columns_of_frame() -> None:
    frame = pd.DataFrame({'item_id': ['a', 'b'], 'user_id': [1, 2]}, index=[5, 5])
    source = read_columns(frame, COLUMNS, ['user', 'item'])
    assert source.frame.to_numpy().tolist() == [[1, 'a'], [2, 'b']]
    assert source.place(np.array([False, True])) == 'row 1'
    assert frame.index.tolist() == [5, 5]


def test_columns_of_edge_index() -> None:
    source = columns_of_edge_index(torch.tensor([[3, 0], [1, 1]]), COLUMNS)
    assert source.frame.to_numpy().tolist() == [[3, 1], [0, 1]]
    source = columns_of_edge_index(np.array([[3], [1]], dtype=np.uint16), COLUMNS)
    assert source.frame.dtypes.tolist() == [np.int64, np.int64]


@pytest.mark.parametrize(
    ('edge_index', 'message'),
    [
        (torch.zeros(2, 3), 'of shape [2, *] (got float32 of shape [2, 3])'),
        (torch.zeros(3, 2).long(), '(got int64 of shape [3, 2])'),
        (torch.tensor([[0], [-2]]), 'indices from 0 to 9223372036854775807 (got -2 to'),
        (np.array([[0], [2**63]], dtype=np.uint64), '(got 0 to 9223372036854775808)'),
    ],
)
def test_columns_of_edge_index_errors(edge_index: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        columns_of_edge_index(edge_index, COLUMNS)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'needs to have a header (got none)'),
        (b'\n\n', 'needs to have a header (got none)'),
        (
            b'user,item_id\n',
            "needs to have one column 'user_id', or another one that the argument "
            "'user' names (got the columns ['user', 'item_id'])",
        ),
        (
            b'user_id;item_id\n1;a\n',
            "(got the columns ['user_id;item_id']). Its fields seem to be separated by "
            "';': pass 'pandas.read_csv(path, sep=';')'",
        ),
        (b'user_id\titem_id\n1\ta\n', "separated by '\\t'"),
        (
            b'1,a,5.0\n2,b,3.5\n',
            "(got the columns ['1', 'a', '5.0']). Its first line seems to be data: "
            "pass 'pandas.read_csv(path, names=[...])'",
        ),
        (b'user_id,item_id\n1,a,x\n', 'as many fields in every line as in its header'),
        (b'user_id,item_id\n1,a\n2,b,x\n', 'Expected 2 fields in line 3, saw 3'),
        (b'user_id,item_id\n1,"a\n2,b\n', 'EOF inside string'),
        (b'user_id,item_id\n1,\xe4\n', "can't decode byte 0xe4"),
        ('user_id,item_id\n1,a\n'.encode('utf-16'), 'encoded in UTF-8'),
    ],
)
def test_read_columns_errors(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / 'a.csv'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read(path)
    assert str(path) in str(info.value)


def test_read_columns_of_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv.gz'
    content = gzip.compress((HEADER + '1,a,x\n' * 1_000).encode())
    for damaged in [content[:-9], b'user_id', content[:20] + b'xx' + content[22:]]:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='needs to be undamaged'):
            read(path)
    path = tmp_path / 'a.csv.bz2'
    content = bz2.compress((HEADER + '1,a,x\n' * 1_000).encode())
    for damaged in [content[:-9], b'user_id', content[:20] + b'xx' + content[22:]]:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.csv\.bz2' needs to be undamaged"):
            read(path)


@pytest.mark.parametrize(
    ('place', 'value', 'reason'),
    [(8, 1, 'is encrypted, password required'), (10, 97, 'compression')],
)
def test_read_columns_of_unreadable_zips(
    tmp_path: Path, place: int, value: int, reason: str
) -> None:
    path = tmp_path / 'a.csv.zip'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('a.csv', HEADER + '1,a,x\n')
    assert read(path) == [['1', 'a']]
    content = bytearray(path.read_bytes())
    for start, offset in [(content.index(b'PK\1\2'), place), (0, place - 2)]:
        content[start + offset] = value
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.csv\.zip' needs to be .*{reason}"):
        read(path)


def test_read_columns_of_damaged_parquet(tmp_path: Path) -> None:
    pytest.importorskip('pyarrow')
    path = tmp_path / 'a.parquet'
    frame = pd.DataFrame({'user_id': ['u', 'v'] * 50, 'item_id': range(100)})
    frame.to_parquet(path, compression='gzip')
    content, messages = path.read_bytes(), []
    for place in range(4, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 255
        path.write_bytes(changed)
        try:
            read(path)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert all(message.startswith(f"'{path}' needs to ") for message in messages)


def test_read_columns_of_other_things(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'a\.csv'):
        read(tmp_path / 'a.csv')
    with pytest.raises(ValueError, match=r"needs to end in one of .*got '\.txt'"):
        read(tmp_path / 'a.txt.gz')
    with pytest.raises(ValueError, match=r"'edge_index' \(got list\)"):
        read_columns([(1, 2)], COLUMNS, ['user', 'item'])
    frame = pd.DataFrame({'user_id': [1]})
    message = "['user', 'item'] need to name different columns"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_columns(frame, ['user_id', 'user_id'], ['user', 'item'])


@pytest.mark.parametrize('names', [[], ['a.csv', 'b.csv']])
def test_read_columns_of_zips_of_other_than_one_file(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / 'a.csv.zip'
    with zipfile.ZipFile(path, 'w') as file:
        for name in names:
            file.writestr(name, HEADER + '1,a,x\n')
    message = f"'{path}' needs to be an archive of a single file (got {names})"
    with pytest.raises(ValueError, match=re.escape(message)):
        read(path)
