import bz2
import gzip
import re
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lgmrec_pyg.datasets.tables import read_interaction_table

HEADER = 'user_id,item_id,note\n'
NOW = '2024-02-29T12:34:56.12345678'


def make_frame(**columns: Any) -> pd.DataFrame:
    pairs = {'user_id': ['v', 'u', 'v'], 'item_id': [30, 20, 10]}
    return pd.DataFrame({**pairs, **columns})


def objects(*values: Any) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def times_of(times: Any) -> list[float]:
    table = read_interaction_table(make_frame(at=times), timestamp='at')
    assert table.time is not None
    u_20, v_10, v_30 = table.time.tolist()
    return [v_30, u_20, v_10]


def read(path: Path) -> list[tuple[Any, Any]]:
    table = read_interaction_table(str(path))
    users, items = table.edge_index.numpy()
    return list(zip(table.user_ids[users], table.item_ids[items], strict=True))


def test_read_interaction_table() -> None:
    frame = make_frame(stars=[1, 2, 3], at=[0.5, 1.5, 2.5])
    table = read_interaction_table(frame, rating='stars', timestamp='at')
    assert table.user_ids.tolist() == ['u', 'v']
    assert table.item_ids.tolist() == [10, 20, 30]
    assert table.edge_index.tolist() == [[0, 1, 1], [1, 0, 2]]
    assert table.rating is not None
    assert table.rating.tolist() == [2, 3, 1]
    assert table.time is not None
    assert table.time.tolist() == [1.5, 2.5, 0.5]
    table = read_interaction_table(frame.astype('category'))
    assert table.user_ids.tolist() == ['u', 'v']
    assert table.item_ids.tolist() == [10, 20, 30]
    assert table.rating is table.time is None


def test_read_interaction_table_of_edge_index() -> None:
    for edge_index in [torch.tensor([[5, 2], [1, 9]]), np.uint16([[5, 2], [1, 9]])]:
        table = read_interaction_table(edge_index)
        assert table.user_ids.tolist() == [2, 5]
        assert table.edge_index.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('a.csv', HEADER + '002,b,x\n1,a,\n'),
        ('a.csv', '\ufeff' + HEADER + '002,b,x\n1,a,'),
        ('a.csv', (HEADER + '002,b,x\n1,a,\n').replace('\n', '\r\n')),
        ('a.csv', HEADER + '\n1,a\n\n002,b,x\n\n'),
        ('a.csv', '"item_id","note","user_id"\n"a","x, ""y""\nz",1\n"b",,002\n'),
        ('a.CSV', HEADER + '1,a,\n002,b,x\n'),
        ('a.csv', 'user_id;item_id\n1;a\n002;b\n'),
        ('a.csv', 'user_id\titem_id\n1\ta\n002\tb\n'),
        ('a.dat', 'user_id|item_id\n1|a\n002|b\n'),
        ('a.tsv', 'user_id\titem_id\n1\ta\n002\tb\n'),
        ('a.tsv', 'user_id\titem_id\tnote\n1\ta\t"x\n002\tb\t"\n'),
        ('a.tsv', '"user_id"\t"item_id"\n"1"\t"a"\n"002"\t"b"\n'),
    ],
)
def test_read_interaction_table_of_texts(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read(path) == [('002', 'b'), ('1', 'a')]
    (tmp_path / f'{name}.gz').write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / f'{name}.gz') == [('002', 'b'), ('1', 'a')]
    (tmp_path / f'{name}.bz2').write_bytes(bz2.compress(text.encode()))
    assert read(tmp_path / f'{name}.bz2') == [('002', 'b'), ('1', 'a')]


def test_read_interaction_table_keeps_words_for_missing_values(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text(HEADER + 'NA,null,1\nNone,nan,1\n')
    assert read(path) == [('NA', 'null'), ('None', 'nan')]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'No columns to parse'),
        (b'\nuser_id,item_id\n1,2\n', 'No columns to parse'),
        (
            b'user,item_id\n1,a\n',
            "needs to have one column 'user_id', or another one that the argument "
            "'user' names (got the columns ['user', 'item_id'])",
        ),
        (b'user_id,item_id,item_id\n1,2,3\n', "needs to have one column 'item_id'"),
        (b'1,a,5.0\n2,b,3.5\n', "(got the columns ['1', 'a', '5.0'])"),
        (b'user_id,item_id\n1,a,x\n', 'Length of header'),
        (b'user_id,item_id\n1,a\n2,b,x\n', 'Expected 2 fields in line 3, saw 3'),
        (b'user_id,item_id\n1,"a\n2,b\n', 'EOF inside string'),
        (b'user_id,item_id\n1,\xe4\n', "can't decode byte 0xe4"),
        ('user_id,item_id\n1,a\n'.encode('utf-16'), 'UTF-8'),
        (b'user_id,item_id\n', 'needs to hold interactions (got none)'),
    ],
)
def test_read_interaction_table_of_malformed_texts(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / 'a.csv'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read(path)
    assert str(info.value).startswith(f"'{path}' needs to ")


def test_read_interaction_table_of_damaged_files(tmp_path: Path) -> None:
    content = (HEADER + '1,a,x\n' * 1_000).encode()
    for ending, compress in [('gz', gzip.compress), ('bz2', bz2.compress)]:
        path, whole = tmp_path / f'a.csv.{ending}', compress(content)
        for damaged in [whole[:-9], b'user_id', whole[:20] + b'xx' + whole[22:]]:
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"a\.csv\.\w+' needs to be undamaged"):
                read(path)
    path = tmp_path / 'a.csv.zip'
    for names in [[], ['a.csv', 'b.csv']]:
        with zipfile.ZipFile(path, 'w') as file:
            for name in names:
                file.writestr(name, HEADER + '1,a,x\n')
        with pytest.raises(ValueError, match=r"a\.csv\.zip' needs to be .* ZIP file"):
            read(path)
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('a.csv', HEADER + '1,a,x\n')
    assert read(path) == [('1', 'a')]
    whole = bytearray(path.read_bytes())
    for offset in (whole.index(b'PK\1\2') + 8, 6):
        whole[offset] = 1  # As if it was encrypted.
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a\.csv\.zip' needs to be .*password"):
        read(path)


def test_read_interaction_table_of_parquet(tmp_path: Path) -> None:
    pytest.importorskip('pyarrow')
    path = tmp_path / 'a.parquet'
    ids = [f'u{i:02d}' for i in range(100)]
    frame = pd.DataFrame({'item_id': range(100), 'x': 0, 'user_id': ids})
    for index in ['user_id', 'x']:  # Some write their ids as the index.
        frame.set_index(index).to_parquet(path, compression='gzip')
        assert read(path)[:2] == [('u00', 0), ('u01', 1)]
    frame.to_parquet(path)
    with pytest.raises(ValueError, match=r"one column 'user'.*\['item_id', 'x', 'user"):
        read_interaction_table(path, 'user')
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


def test_read_interaction_table_of_other_things(tmp_path: Path) -> None:
    for name in ('a.csv', 'a.parquet'):
        with pytest.raises(FileNotFoundError, match=name):
            read(tmp_path / name)
    for other in [[(1, 2)], torch.zeros(2, 3), torch.zeros(3, 2).long()]:
        with pytest.raises(ValueError, match=r"'edge_index' of shape \[2, \*\] \(got "):
            read_interaction_table(other)
    with pytest.raises(ValueError, match='without ratings'):
        read_interaction_table(torch.zeros(2, 1, dtype=torch.long), rating='stars')
    for nothing in [make_frame()[:0], torch.empty(2, 0, dtype=torch.long)]:
        with pytest.raises(ValueError, match=r'to hold interactions \(got none\)'):
            read_interaction_table(nothing)


@pytest.mark.parametrize(
    'times',
    [
        ['2024-03-01', '2024-02-29', '2024-02-28'],
        ['2024-03-01T00:00:00Z', '2024-02-29T01:00:00+01:00', '2024-02-28T00:00:00Z'],
        pd.to_datetime([NOW + '2', NOW + '1', NOW + '0']),
        pd.to_datetime([NOW + '2', NOW + '1', NOW + '0'], utc=True),
        pd.to_datetime(['2024-03-01', '2024-02-29', '2000-01-01']).as_unit('s'),
        [NOW + '2Z', NOW + '1Z', '2024-01-01'],
        [date(2024, 3, 1), date(2024, 2, 29), date(2024, 2, 28)],
        objects(pd.Timestamp(NOW + '1'), pd.Timestamp(NOW), date(2024, 1, 1)),
        pd.to_timedelta([3, 2, 1]),
        objects(timedelta(3), timedelta(2), timedelta(1)),
        pd.Categorical(['3.5', '2', '1']),
        pd.array([3, 2, 1], dtype='UInt64'),
        pd.arrays.SparseArray([3, 2, 0]),
        np.array([2**63, 5, 4], dtype=np.uint64),
        ['1700000000.125', '1700000000.1249', '1e-3'],
        objects(Decimal('3.5'), np.float32(2.5), np.int64(2)),
        # Nanoseconds, which double precision could not tell apart:
        [1_700_000_000_000_000_002, 1_700_000_000_000_000_001, 0],
        ['1700000000000000002', '1700000000000000001', '0'],
    ],
)
def test_read_timestamps(times: Any) -> None:
    values = times_of(times)
    assert values[0] > values[1] > values[2]


@pytest.mark.parametrize('unit', ['timestamp', 'duration', 'date32'])
def test_read_timestamps_of_arrow(unit: str) -> None:
    pa = pytest.importorskip('pyarrow')
    kind = pa.date32() if unit == 'date32' else getattr(pa, unit)('ns')
    days = np.array([19800, 19799, 19798])
    values = days.astype(np.int32) if unit == 'date32' else days * 864 * 10**11 + days
    array = pd.array(pa.array(values).cast(kind), dtype=pd.ArrowDtype(kind))
    steps = np.diff(times_of(array))
    assert steps[0] == steps[1] < 0


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        (
            {'user_id': ['u', None, None]},
            "hold ids in column 'user_id' (got nan in row 1, and 2 such values",
        ),
        ({'item_id': [1, 2, None]}, "column 'item_id' (got nan in row 2"),
        ({'item_id': ['a', 'b', '']}, "column 'item_id' (got '' in row 2"),
        (
            {'item_id': ['a', 'b', 3]},
            "item_id of interactions' needs to hold either strings or integers, not "
            "both (got 'a' in "
            'position 0 and 3 in position 2)',
        ),
        (
            {'item_id': [1.0, 2.0, 3.0]},
            "item_id of interactions' needs to hold strings or integers",
        ),
        (
            {'stars': [1, None, 2]},
            "finite numbers in column 'stars' (got nan in row 1, and 1 such values in",
        ),
        ({'stars': [1, 'good', 2]}, "(got 'good' in row 1"),
        ({'stars': [1, 2, float('inf')]}, '(got inf in row 2'),
        (
            {'at': ['2024-01-01', '31.12.2024', '12/31/2024']},
            'numbers or dates such as 2024-01-31 23:59:59 in column '
            "'at' (got '31.12.2024' in row 1, and 2 such values in total)",
        ),
        ({'at': ['2024-01-01', None, '']}, "in column 'at' (got"),
        ({'at': [1, '2024-01-01', 3]}, "finite numbers in column 'at' (got '2024"),
        ({'at': [1.0, 2.0, float('nan')]}, '(got nan in row 2'),
        (
            {'at': pd.to_datetime(['2024-01-01', None, None])},
            'in row 1, and 2 such values in total)',
        ),
    ],
)
def test_read_interaction_table_errors(columns: dict[str, Any], message: str) -> None:
    names = {'rating': 'stars'} if 'stars' in columns else {}
    names |= {'timestamp': 'at'} if 'at' in columns else {}
    frame = make_frame(**columns).set_index(pd.Index([7, 7, 7]))
    with pytest.raises(ValueError, match=re.escape(message)):
        read_interaction_table(frame, **names)


def test_read_interaction_table_names_lines(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('user_id,item_id,stars\nu,1,5\n\nv,,4\nw,2,four\n')
    message = f"'{path}' needs to hold ids in column 'item_id' (got '' in line 4"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_interaction_table(str(path))
    path.write_text('user_id,item_id,stars\nu,1,5\n\nv,1,4\nw,2,four\n')
    with pytest.raises(ValueError, match=r"\(got 'four' in line 5"):
        read_interaction_table(path, rating='stars')
