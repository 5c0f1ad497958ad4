import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import warnings
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import torch
from file_server import FileServer

from lgmrec_pyg.datasets import DownloadError, graph_from_interactions
from lgmrec_pyg.datasets.streaming import is_large, stream_table
from lgmrec_pyg.datasets.tables import InteractionTable, columns_of
from lgmrec_pyg.datasets.tables import read_interaction_table as read_table
from lgmrec_pyg.graph import get_ids

HEADER = 'user_id,item_id,note\n'
NOW = '2024-02-29T12:34:56.12345678'


def read_interaction_table(
    source: Any,
    user: str | int = 'user_id',
    item: str | int = 'item_id',
    rating: str | int | None = None,
    timestamp: str | int | None = None,
    **options: Any,
) -> InteractionTable:
    read = stream_table if is_large(source) else read_table
    return read(source, columns_of(user, item, rating, timestamp), **options)


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
            "'user' names, by its position from 0 if there is no header (got the "
            "columns ['user', 'item_id'])",
        ),
        (b'user_id,item_id,item_id\n1,2,3\n', "needs to have one column 'item_id'"),
        (b'1,a,5.0\n2,b,3.5\n', "(got the columns ['1', 'a', '5.0'])"),
        (b'user_id,item_id\n1,a,x\n', 'Length of header'),
        (b'user_id,item_id\n1,a\n2,b,x\n', 'Expected 2 fields in line 3, saw 3'),
        (b'user_id,item_id\n1,"a\n2,b\n', 'EOF inside string'),
        (b'user_id,item_id\n1,\xe4\n', "can't decode byte 0xe4"),
        ('user_id,item_id\n1,a\n'.encode('utf-16-le'), "columns ['u\\x00s"),
        (b'user_id,item_id\n', 'needs to hold interactions (got none)'),
        (b'<!DOCTYPE html>\n<html>Sign in</html>', "one column 'user_id'"),
        (b'sep=;\nuser_id;item_id\n1;2\n', "columns ['sep=', ''])"),
        (b'user_id, item_id\n1, 2\n', "columns ['user_id', ' item_id'])"),
        (b'{"user_id": {"$oid": "a"}, "item_id": 2}', "got {'$oid': 'a'})"),
        (b'[{"user_id": ["a"], "item_id": 2}]', "'user_id' (got ['a'])"),
        (b'[{"user_id": "a"', 'undamaged text'),
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
        for damaged in [whole[:-9], whole[:9], whole[:20] + b'xx' + whole[22:]]:
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"a\.csv\.\w+' needs to be undamaged"):
                read(path)
    path = tmp_path / 'a.csv.zip'
    for names in [[], ['a.csv', 'b.csv']]:
        with zipfile.ZipFile(path, 'w') as file:
            for name in names:
                file.writestr(name, HEADER + '1,a,x\n')
        with pytest.raises(ValueError, match=r"a\.csv\.zip' .* hold one file"):
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
    for other in [3, (1, 2), torch.zeros(2, 3), torch.zeros(3, 2).long()]:
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
            {'item_id': [1.0, 2.5, 3.0]},
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
            'numbers or dates such as 2024-01-31 23:59:59, or in a '
            "'date_format', in column 'at' (got '31.12.2024' in row 1, "
            'and 2 such values in total)',
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


NAMES = ['user_id', 'item_id']
UUIDS = [str(UUID(int=2)), str(UUID(int=1))]
PAIRS = [('u', 10), ('v', 30), ('v', 10)]
IN_LIBRARIES = {
    'rows': lambda pd, pl, pa: PAIRS,
    'lists': lambda pd, pl, pa: [list(pair) for pair in PAIRS],
    'records': lambda pd, pl, pa: pd.DataFrame(PAIRS, columns=NAMES).to_dict('records'),
    'columns': lambda pd, pl, pa: pd.DataFrame(PAIRS, columns=NAMES).to_dict('list'),
    'unnamed': lambda pd, pl, pa: pd.DataFrame(PAIRS),
    'indexed': lambda pd, pl, pa: pd.DataFrame(PAIRS, columns=NAMES).set_index(NAMES),
    'polars': lambda pd, pl, pa: pl.DataFrame(PAIRS, schema=NAMES, orient='row'),
    'lazy': lambda pd, pl, pa: pl.LazyFrame(PAIRS, schema=NAMES, orient='row'),
    'arrow': lambda pd, pl, pa: pa.table(
        dict(zip(NAMES, zip(*PAIRS, strict=True), strict=True))
    ),
    'array': lambda pd, pl, pa: np.array(PAIRS, dtype=object),
    'records of numpy': lambda pd, pl, pa: np.array(
        PAIRS, dtype=[('user_id', 'U1'), ('item_id', 'i2')]
    ),
}


@pytest.mark.parametrize('name', list(IN_LIBRARIES))
def test_read_interaction_table_of_libraries(name: str) -> None:
    pl, pa = pytest.importorskip('polars'), pytest.importorskip('pyarrow')
    table = read_interaction_table(IN_LIBRARIES[name](pd, pl, pa))
    assert table.user_ids.tolist() == ['u', 'v']
    assert table.item_ids.tolist() == [10, 30]
    assert table.edge_index.tolist() == [[0, 1, 1], [0, 0, 1]]


def test_read_interaction_table_of_longer_rows() -> None:
    rows = [('u', 'b', 4.0, 7), ('u', 'a', 5.0, 6)]
    table = read_interaction_table(rows, rating='stars', timestamp='at')
    assert table.rating is not None
    assert table.time is not None
    assert (table.rating.tolist(), table.time.tolist()) == ([5, 4], [6, 7])
    table = read_interaction_table(rows, user=1, item=0)
    assert (table.user_ids.tolist(), table.item_ids.tolist()) == (['a', 'b'], ['u'])
    with pytest.raises(
        ValueError, match=r"'user_id'.*by its position from 0.*\[0, 1, 2"
    ):
        read_interaction_table(rows)


def test_read_interaction_table_of_matrices() -> None:
    sp = pytest.importorskip('scipy.sparse')
    dense = np.array([[0, 2.0, 0], [0, 0, 0], [5.0, 0.5, 0]])
    stored = sp.coo_array(([2.0, 5.0, 0.5, 0.0], ([0, 2, 2, 1], [1, 0, 1, 1])))
    tensor = torch.from_numpy(dense)
    for matrix in (
        sp.csr_array(dense),
        sp.csc_matrix(dense),
        sp.lil_matrix(dense),
        stored,
        tensor.to_sparse(),
        tensor.to_sparse_csr(),
    ):
        table = read_interaction_table(matrix, rating='any')
        assert table.user_ids.tolist() == [0, 2]
        assert table.item_ids.tolist() == [0, 1]
        assert table.edge_index.tolist() == [[0, 1, 1], [1, 0, 1]]
        assert table.rating is not None
        assert table.rating.tolist() == [2, 5, 0.5]
        assert read_interaction_table(matrix).rating is None
        with pytest.raises(ValueError, match="one column 'at'"):
            read_interaction_table(matrix, timestamp='at')


@pytest.mark.parametrize(
    ('content', 'options'),
    [
        (b'user_id::item_id\nu::10\nv::30\nv::10\n', {}),
        (b'user_id item_id\nu 10\nv   30\nv 10\n', {}),
        (b'user_id#item_id\nu#10\nv#30\nv#10\n', {'separator': '#'}),
        (b'user_id||item_id\nu||10\nv||30\nv||10\n', {'separator': '||'}),
        (b'user_id,a;b,item_id\nu,1;2,10\nv,x,30\nv,;;;,10\n', {}),
        (
            b'user id,item id\nu,10\nv,30\nv,10\n',
            {'user': 'user id', 'item': 'item id'},
        ),
        (b'user_id:token\titem_id:token\tt:float\nu\t10\t1\nv\t30\t2\nv\t10\t3', {}),
        (
            b'user_id:token\titem_id:token\nu\t10\nv\t30\nv\t10\n',
            {'user': 'user_id:token', 'item': 'item_id:token'},
        ),
        (b'u\t10\t5\nv\t30\t5\nv\t10\t5\n', {'user': 0, 'item': 1}),
        (b'5::10::u\n5::30::v\n5::10::v\n', {'user': 2, 'item': 1}),
        (b'u 10\nv 30\nv 10\n', {'user': 0, 'item': 1}),
        ('user_id\titem_id\nu\t10\nv\t30\nv\t10\n'.encode('utf-16'), {}),
        (b'\xef\xbb\xbfuser_id,item_id\nu,10\nv,30\nv,10\n', {}),
        (b'user_id,item_id\ru,10\rv,30\rv,10\r', {}),
        (b'item_id,note,note,user_id,\n10,,,u,\n30,,,v,\n10,,,v,\n', {}),
        (
            b'{"user_id": "u", "item_id": "10"}\n\n{"item_id": "30", "user_id": "v"}\n'
            b'{"user_id": "v", "item_id": "10", "more": [1, {}]}\n',
            {},
        ),
        (
            b'  {"user_id":"u","item_id":"10"}\n{"user_id":"v","item_id":"30"}\n'
            b'{"user_id":"v","item_id":"10"}',
            {},
        ),
    ],
)
def test_read_interaction_table_finds_the_format(
    tmp_path: Path, content: bytes, options: dict
) -> None:
    zstandard = pytest.importorskip('zstandard')
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as file:
        member = tarfile.TarInfo('clicks.csv')
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, 'w') as archive:
        archive.writestr('data/', b'')
        archive.writestr('data/clicks.csv', content)
        archive.writestr('__MACOSX/data/._clicks.csv', b'x')
    for stored in (
        content,
        gzip.compress(content),
        bz2.compress(content),
        lzma.compress(content),
        zstandard.compress(content),
        packed.getvalue(),
        zipped.getvalue(),
    ):
        path = tmp_path / 'clicks.data'  # The name says nothing.
        path.write_bytes(stored)
        table = read_interaction_table(path, **options)
        assert table.user_ids.tolist() == ['u', 'v']
        assert table.item_ids.tolist() == ['10', '30']
        assert table.edge_index.tolist() == [[0, 1, 1], [0, 0, 1]]


def test_read_interaction_table_of_folders(tmp_path: Path) -> None:
    pytest.importorskip('pyarrow')
    frame = make_frame(day=['2024-01-02', '2024-01-01', '2024-01-03'])
    frame.to_parquet(tmp_path / 'parts', partition_cols=['day'])
    (tmp_path / 'parts' / '_SUCCESS').touch()
    (tmp_path / 'parts' / '.a.parquet.crc').write_text('x')
    expected = read_interaction_table(frame, timestamp='day')
    assert expected.time is not None
    table = read_interaction_table(tmp_path / 'parts', timestamp='day')
    assert table.user_ids.tolist() == ['u', 'v']
    assert table.edge_index.tolist() == expected.edge_index.tolist()
    assert table.time is not None
    assert table.time.argsort().tolist() == expected.time.argsort().tolist()
    (tmp_path / 'texts').mkdir()
    for i in range(3):
        path = tmp_path / f'texts/part-{i}.csv'
        frame[i : i + 1].to_csv(path, index=False)
    for source in (tmp_path / 'texts', sorted((tmp_path / 'texts').iterdir())):
        table = read_interaction_table(source)
        assert table.item_ids.tolist() == ['10', '20', '30']
        assert table.edge_index.tolist() == expected.edge_index.tolist()
    path.write_text('user_id,item_id\nu,1\n,2\n')
    message = r"part-2\.csv' in lines 2 to 3 needs to hold ids .* \(got '' in line 3,"
    with pytest.raises(ValueError, match=message):
        read_interaction_table(tmp_path / 'texts')
    path.write_text('user_id,other\nu,1\n')
    with pytest.raises(
        ValueError, match=r"part-2\.csv' needs to have one column 'item"
    ):
        read_interaction_table(tmp_path / 'texts')
    (tmp_path / 'nothing').mkdir()
    with pytest.raises(FileNotFoundError, match='nothing'):
        read_interaction_table(tmp_path / 'nothing')


def test_read_interaction_table_of_addresses(tmp_path: Path) -> None:
    content = gzip.compress(b'user_id,item_id\nu,10\nv,30\nv,10\n')
    with FileServer({'/clicks.csv.gz': content}) as server:
        table = read_interaction_table(f'{server.url}/clicks.csv.gz')
        assert table.edge_index.tolist() == [[0, 1, 1], [0, 0, 1]]
        missing = f'{server.url}/nowhere.csv'
        with pytest.raises(DownloadError, match=f"'{missing}' could not be .*404"):
            read_interaction_table(missing)
    (tmp_path / 'clicks.csv').write_bytes(content)
    assert len(read_interaction_table(f'file://{tmp_path}/clicks.csv').user_ids) == 2
    for scheme in ('http', 'https'):
        address = f'{scheme}://127.0.0.1:9/clicks.parquet'
        with pytest.raises(DownloadError, match=f"'{address}' could not be reached"):
            read_interaction_table(address)
    with pytest.raises(DownloadError, match=r"'nope://a/b\.csv' could not be reached"):
        read_interaction_table('nope://a/b.csv')


@pytest.mark.parametrize(
    'ids',
    [
        ['123', '123.0', ' 123'],
        ['123.0', '123.00', '123'],
        ['a', 'a ', 'a\u00a0'],
        ['caf\u00e9', 'cafe\u0301', 'caf\u00e9 '],
        ['\uff21', 'A', ' A'],
    ],
)
def test_read_interaction_table_warns_of_ids_that_look_alike(
    tmp_path: Path, ids: list[str]
) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('user_id,item_id\n' + ''.join(f'{x},{x}\n' for x in [*ids, 'z']))
    with pytest.warns(UserWarning, match=r'holds 3 ids that differ in spaces') as log:
        data = graph_from_interactions(path, val_ratio=0, test_ratio=0)
    messages = [str(warning.message) for warning in log]
    assert [x[:16] for x in messages] == ["Column 'user_id'", "Column 'item_id'"]
    assert all(repr(x) in messages[0] for x in ids)
    assert set(get_ids(data, 'user') or []) == {*ids, 'z'}
    path.write_text('user_id,item_id\n1.0,7\n2.0,07\n1.5,7.5\n')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        graph_from_interactions(path)


@pytest.mark.parametrize(
    ('times', 'date_format'),
    [
        (
            ['2013-07-25 10:00:01 UTC', '2013-07-25 10:00:00 UTC', '2013-01-01 UTC'],
            None,
        ),
        (['2013-07-25 10:00:00.5 UTC', '2013-07-25 10:00:00 UTC', '2012-01-01'], None),
        (['07 25, 2013', '07 5, 2013', '12 31, 2012'], None),
        (['Jul 25, 2013', 'Jul 5, 2013', 'Dec 31, 2012'], None),
        (['25 Jul 2013', '05 Jul 2013', '31 Dec 2012'], None),
        (['25-Jul-2013', '05-Jul-2013', '31-Dec-2012'], None),
        (
            [
                'Thu Jul 25 10:00:00 +0000 2013',
                'Thu Jul 25 10:00:00 +0100 2013',
                'Tue Jan 01 00:00:00 +0000 2013',
            ],
            None,
        ),
        (
            [
                'Thu, 25 Jul 2013 10:00:01 GMT',
                'Thu, 25 Jul 2013 10:00:00 GMT',
                'Tue, 01 Jan 2013 00:00:00 GMT',
            ],
            None,
        ),
        (['2013/07/25', '2013/07/05', '2012/12/31'], None),
        (['20130725', '20130705', '20121231'], None),
        (['25.07.2013', '05.07.2013', '31.12.2012'], '%d.%m.%Y'),
        (['7/25/13 9:05', '7/25/13 9:04', '12/31/12 23:00'], '%m/%d/%y %H:%M'),
        ([20130725, 20130705, 20121231], '%Y%m%d'),
        ([1374750000123, 1374750000122, 0], None),
        ([13.5, 13.25, -1.0], None),
    ],
)
def test_read_timestamps_of_other_formats(times: list, date_format: str | None) -> None:
    frame = make_frame(at=times)
    table = read_interaction_table(frame, timestamp='at', date_format=date_format)
    assert table.time is not None
    u_20, v_10, v_30 = table.time.tolist()
    assert v_30 > u_20 > v_10


def test_read_timestamps_errors() -> None:
    options = {'timestamp': 'at', 'date_format': '%d.%m.%Y'}
    frame = make_frame(at=['25.07.2013', '07/25/2013', '1.1.2013'])
    with pytest.raises(
        ValueError, match=r"hold dates in column 'at' \(got '07/25/2013'"
    ):
        read_interaction_table(frame, **options)


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ([(1, 2), (3,)], 'rows of equally many fields (got rows of [1, 2] fields)'),
        ([make_frame()], 'rows of equally many fields'),
        ({'user_id': [1, 2], 'item_id': [3]}, 'rows of equally many fields'),
        ({'user_id': [[1]], 'item_id': [3]}, "hold ids in column 'user_id' (got [1])"),
        (pd.Series([1, 2]), '(got Series)'),
        (((u, 1) for u in range(3)), '(got generator)'),
        (np.zeros((2, 2, 2), dtype=int), '(got Tensor)'),
        ([], 'hold interactions (got none)'),
        ({}, 'hold interactions (got none)'),
    ],
)
def test_read_interaction_table_of_malformed_objects(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read_interaction_table(source)
    assert str(info.value).startswith("'interactions' needs to ")


def test_read_interaction_table_with_ids_as_index_and_column() -> None:
    frame = make_frame().set_index('user_id', drop=False)
    assert read_interaction_table(frame).user_ids.tolist() == ['u', 'v']


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        (lambda pa: pa.array([b'b', b'a']), ['b', 'a']),
        (lambda pa: pa.array([UUID(int=2).bytes, UUID(int=1).bytes], pa.uuid()), UUIDS),
        (lambda pa: pa.array([Decimal(5), Decimal(3)], pa.decimal128(38, 0)), [5, 3]),
        (lambda pa: pa.array(['b', 'a']).dictionary_encode(), ['b', 'a']),
        (lambda pa: pa.array(['b', 'a'], pa.large_string()), ['b', 'a']),
        (lambda pa: pa.array([2, 1], pa.uint8()), [2, 1]),
        (lambda pa: pa.array([2.0, 1.0]), [2, 1]),
        (lambda pa: pa.array([[1], [2]]), None),
        (lambda pa: pa.array([UUID(int=1).bytes] * 2, pa.binary(16)), None),
        (lambda pa: pa.array([2**63, 1], pa.uint64()), None),
        (lambda pa: pa.array([1.5, 1.0]), None),
        (lambda pa: pa.array([1, None]), None),
    ],
)
def test_read_interaction_table_of_parquet_types(
    tmp_path: Path, values: Any, expected: list | None
) -> None:
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    pq.write_table(pa.table({'user_id': values(pa), 'item_id': [8, 7]}), tmp_path / 'a')
    if expected is None:
        with pytest.raises(ValueError, match='user_id'):
            read(tmp_path / 'a')
    else:
        assert read(tmp_path / 'a') == sorted(zip(expected, [8, 7], strict=True))


def test_read_interaction_table_of_parts_by_day(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    for year, table in {
        2024: {'user_id': pa.array([1, 2], pa.int32()), 'item_id': ['a', 'b']},
        2023: {'item_id': ['c'], 'user_id': pa.array([1], pa.int64())},
    }.items():
        (tmp_path / f'year={year}/month=1').mkdir(parents=True)
        pq.write_table(pa.table(table), tmp_path / f'year={year}/month=1/0.parquet')
    table = read_interaction_table(tmp_path, timestamp='year')
    assert table.time is not None
    assert table.edge_index.tolist() == [[0, 0, 1], [0, 2, 1]]
    assert table.time.tolist() == [2024, 2023, 2024]
    (tmp_path / 'year=2023/month=1/1.csv').write_text('user_id,item_id\n')
    with pytest.raises(FileNotFoundError, match='files of one kind'):
        read_interaction_table(tmp_path)


@pytest.mark.parametrize('form', [list, pd.DataFrame, np.array])
def test_numbers_of_columns_say_which_is_which(form: Any) -> None:
    rows = form([('i1', 'u1'), ('i2', 'u1'), ('i3', 'u2')])
    data = graph_from_interactions(rows, user=1, item=0)
    assert get_ids(data, 'user') == ['u1', 'u2']
    assert get_ids(data, 'item') == ['i1', 'i2', 'i3']


@pytest.mark.parametrize('indent', [None, 2])
def test_one_list_of_json(tmp_path: Path, indent: int | None) -> None:
    rows = [{'user_id': f'u{i % 2}', 'item_id': f'i{i}'} for i in range(4)]
    (tmp_path / 'rows.json').write_text(json.dumps(rows, indent=indent))
    data = graph_from_interactions(tmp_path / 'rows.json')
    assert get_ids(data, 'item') == ['i0', 'i1', 'i2', 'i3']
