import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lgmrec_pyg.datasets import graph_from_interactions, streaming, text_tables
from lgmrec_pyg.datasets.streaming import is_large
from lgmrec_pyg.datasets.streaming import stream_table as stream
from lgmrec_pyg.datasets.tables import InteractionTable, columns_of
from lgmrec_pyg.graph import INTERACTS

NUM_ROWS = 600


def stream_table(path: Path, timestamp: str | None = None) -> InteractionTable:
    return stream(path, columns_of('user_id', 'item_id', timestamp=timestamp))


def make_frame(ids: str = 'string', seed: int = 0) -> pd.DataFrame:
    r"""Rows of 40 users and 25 items, many of which repeat."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(40, size=NUM_ROWS), rng.integers(25, size=NUM_ROWS)
    frame = pd.DataFrame(
        {
            'note': 'x',
            'item_id': 1000 - item,
            'stars': rng.integers(1, 6, size=NUM_ROWS),
            'time': rng.integers(10**6, size=NUM_ROWS),
            'share': rng.random(NUM_ROWS),
            'user_id': user * 7 - 100,
        }
    )
    if ids == 'string':
        frame['user_id'] = [f'Ü{x}' for x in user]
        frame['item_id'] = [f'{x * 37 % 25:x}' for x in item]
    return frame


def write(frame: pd.DataFrame, path: Path, kind: str) -> Path:
    r"""Writes a file, or a folder of files."""
    if kind == 'parquet':
        frame.to_parquet(path := path / 'all.parquet', row_group_size=70)
    elif kind == 'csv':
        frame.to_csv(path := path / 'all.csv', index=False)
    elif kind == 'gzip':
        frame.to_csv(path := path / 'all.tsv.gz', index=False, sep='\t')
    else:
        (path / 'day=1').mkdir()
        for i, at in enumerate([path, path / 'day=1', path / 'day=1']):
            part = frame[i * NUM_ROWS // 3 : (i + 1) * NUM_ROWS // 3]
            if kind == 'parquet-folder':
                part.to_parquet(at / f'{i}.parquet', row_group_size=70)
            else:  # The columns of every file are found by their names.
                part.iloc[:, :: 1 - 2 * (i % 2)].to_csv(at / f'{i}.csv', index=False)
        (path / '_SUCCESS').touch()
        (path / 'day=1' / '.0.crc').touch()
    return path


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, 'LARGE', 1)
    monkeypatch.setattr(streaming, 'PART_ROWS', 64)
    monkeypatch.setattr(text_tables, 'CHUNK_SIZE', 64)


KINDS = ['parquet', 'csv', 'gzip', 'parquet-folder', 'csv-folder']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('ids', ['string', 'integer'])
@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        {'split': 'leave_one_out', 'seed': 3},
        {'split': 'leave_one_out', 'timestamp': 'time', 'k_core': 9},
        {'split': 'time', 'timestamp': 'time', 'catalog': ['new', 'newer']},
        {'rating': 'stars', 'min_rating': 3, 'val_ratio': 0.0},
        {'rating': 'stars', 'min_rating': 2, 'timestamp': 'time'},
        {'weight': 'share', 'timestamp': 'time'},
        {'weight': True},
    ],
)
@pytest.mark.filterwarnings('ignore:Splitting by time drops')
def test_graph_is_that_of_the_whole_table(
    kind: str, ids: str, kwargs: dict[str, Any], tmp_path: Path
) -> None:
    frame = make_frame(ids)
    path = write(frame, tmp_path, kind)
    assert is_large(path)
    if 'parquet' not in kind:  # Ids in texts are strings.
        frame = frame.astype({'user_id': str, 'item_id': str})
    elif ids == 'integer' and 'catalog' in kwargs:
        kwargs = {**kwargs, 'catalog': [1, 2]}
    expected = graph_from_interactions(frame, **kwargs)
    data = graph_from_interactions(str(path), **kwargs)
    for node_type in ('user', 'item'):
        assert data[node_type].num_nodes == expected[node_type].num_nodes
        assert data[node_type].ids.equal(expected[node_type].ids)
    assert set(data[INTERACTS].keys()) == set(expected[INTERACTS].keys())
    for name, value in expected[INTERACTS].items():
        assert data[INTERACTS][name].equal(value), name


def test_parts_know_ids_of_earlier_ones(tmp_path: Path) -> None:
    frame = pd.DataFrame({'user_id': ['b', 'a', 'b'], 'item_id': ['y', 'y', 'x']})
    for i in range(3):
        frame[i : i + 1].to_csv(tmp_path / f'{i}.csv', index=False)
    table = stream_table(tmp_path)
    assert table.user_ids.tolist() == ['a', 'b']
    assert table.item_ids.tolist() == ['x', 'y']
    assert table.edge_index.tolist() == [[0, 1, 1], [1, 0, 1]]


def test_dates_of_parts_have_one_unit(tmp_path: Path) -> None:
    # A part of whole days is parsed to coarser units than one with nanoseconds.
    times = ['2024-05-02', '2024-05-01T23:59:59.999999999', '2024-05-02T00:00:00Z']
    for i, time in enumerate(times):
        row = {'user_id': ['u'], 'item_id': [str(i)], 'time': [time]}
        pd.DataFrame(row).to_csv(tmp_path / f'{i}.csv', index=False)
    table = stream_table(tmp_path, timestamp='time')
    assert table.time is not None
    assert (table.time - table.time[1]).tolist() == [1, 0, 1]


def test_numbers_of_parts_have_one_type(tmp_path: Path) -> None:
    for i, time in enumerate(['1', '1.5', '2']):
        row = {'user_id': ['u'], 'item_id': [str(i)], 'time': [time]}
        pd.DataFrame(row).to_csv(tmp_path / f'{i}.csv', index=False)
    table = stream_table(tmp_path, timestamp='time')
    assert table.time is not None
    assert table.time.tolist() == [1.0, 1.5, 2.0]
    (tmp_path / '3.csv').write_text('user_id,item_id,time\nu,3,2024-01-01\n')
    with pytest.raises(ValueError, match=r"numbers or dates in column 'time' "):
        stream_table(tmp_path, timestamp='time')


def test_errors_name_file_and_place(tmp_path: Path) -> None:
    frame = make_frame()
    frame.loc[100, 'item_id'] = None
    path = write(frame, tmp_path, 'parquet')
    with pytest.raises(ValueError, match=r"all.parquet' in rows 64 to 133 .*row 100"):
        stream_table(path)
    path = write(frame, tmp_path, 'csv')
    with pytest.raises(ValueError, match=r"all.csv' in lines 66 to 129 .*line 102"):
        stream_table(path)
    with pytest.raises(FileNotFoundError, match='of one kind'):
        stream_table(tmp_path)
    with pytest.raises(ValueError, match=r"one column 'when', .* 'timestamp' names"):
        stream_table(path, timestamp='when')
    path.write_text('user_id,item_id\n')
    with pytest.raises(ValueError, match='needs to hold interactions'):
        stream_table(path)


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='needs to hold files'):
        graph_from_interactions(tmp_path)
    path = write(make_frame(), tmp_path, 'parquet')
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 3 : len(content) // 2] = bytes(len(content) // 6 + 1)
    for wrong in (b'', content[: len(content) // 2], bytes(damaged)):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r'all.parquet'):
            stream_table(path)
    path = tmp_path / 'all.csv.gz'
    path.write_bytes(gzip.compress(b'user_id,item_id\n' + b'u,i\n' * 9999)[:-20])
    with pytest.raises(ValueError, match=r'all.csv.gz'):
        stream_table(path)


def test_only_large_files_are_read_in_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(make_frame(), tmp_path, 'csv')
    assert is_large(tmp_path)
    monkeypatch.setattr(streaming, 'LARGE', path.stat().st_size + 1)
    assert not is_large(str(path))
    assert is_large(tmp_path)
    assert not is_large(tmp_path / 'missing.csv')
    assert not is_large(torch.zeros(2, 3))


def test_one_row(tmp_path: Path) -> None:
    path = tmp_path / 'one.csv'
    path.write_text('user_id,item_id,time\nu,i,3\n')
    for timestamp in (None, 'time'):
        assert stream_table(path, timestamp).edge_index.tolist() == [[0], [0]]
