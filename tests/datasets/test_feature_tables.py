import io
import pickle
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from file_server import FileServer
from hypothesis import given
from hypothesis import strategies as st

from lgmrec_pyg.datasets import DownloadError, load_item_features, save_item_features
from lgmrec_pyg.datasets.feature_tables import read_feature_tables

ROWS = [[1.0, 2.0], [3.0, 4.5]]
SPARSE = pd.arrays.SparseArray
IDS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1) | st.lists(
    st.text(st.characters(exclude_characters='\0', codec='utf-8'), min_size=1),
    min_size=1,
)


@pytest.mark.parametrize(
    'value',
    [
        pd.DataFrame(ROWS, index=['a', 'b']),
        pd.DataFrame(ROWS, index=['a', 'b'], columns=['x', 'y'], dtype='Float32'),
        pd.DataFrame({'x': [1, 3], 'item_id': ['a', 'b'], 'y': [2, 4.5]}),
        pd.DataFrame({'x': [1, 3], 'id': ['a', 'b'], 'y': [2, 4.5]}, index=[7, 9]),
        pd.DataFrame({'asin': ['a', 'b'], 'x': [1, 3], 'y': [2, 4.5]}),
        pd.DataFrame({'asin': ['a', 'b'], 'x': ROWS}),
        pd.DataFrame({'asin': ['a', 'b'], 'x': [np.array(x) for x in ROWS]}),
        pd.DataFrame({'asin': ['a', 'b'], 'x': ['[1.  2.]', '[3., 4.5]']}),
        pd.DataFrame({'x': [torch.tensor(x) for x in ROWS]}, index=['a', 'b']),
        pd.DataFrame({'x': ['1 2', '3 4.5']}, index=['a', 'b']),
        pd.Series(ROWS, index=['a', 'b']),
        (['a', 'b'], torch.tensor(ROWS)),
        (['a', 'b'], torch.tensor(ROWS, dtype=torch.bfloat16)),
        (pd.Series(['a', 'b']), np.array(ROWS, dtype=np.float16)),
        (np.array(['a', 'b']), ROWS),
        {'a': ROWS[0], 'b': np.array(ROWS[1])},
        {'a': torch.tensor(ROWS[0], dtype=torch.double), 'b': tuple(ROWS[1])},
    ],
)
def test_read_feature_tables(value: Any) -> None:
    tables = read_feature_tables({'text': value})
    assert list(tables) == ['text']
    assert tables['text'].ids.tolist() == ['a', 'b']
    assert tables['text'].x.dtype == torch.float32
    assert tables['text'].x.tolist() == ROWS


def test_read_feature_tables_of_sparse_ones() -> None:
    frame = pd.DataFrame(
        {'x': SPARSE([0, 2.5]), 'y': SPARSE([True, False])}, index=['a', 'b']
    )
    assert read_feature_tables({'text': frame})['text'].x.tolist() == [[0, 1], [2.5, 0]]
    x = torch.tensor(ROWS).to_sparse()
    table = read_feature_tables({'text': (['a', 'b'], x)})['text']
    assert table.x.tolist() == ROWS
    scipy = pytest.importorskip('scipy.sparse')
    table = read_feature_tables({'text': (['a', 'b'], scipy.csr_array(ROWS))})['text']
    assert table.x.tolist() == ROWS


def test_read_feature_tables_of_other_libraries() -> None:
    pa, pl = pytest.importorskip('pyarrow'), pytest.importorskip('polars')
    for columns in ({'x': [1, 3], 'y': [2.0, 4.5]}, {'x': ROWS}):
        for ids in (['a', 'b'], [70, 7]):
            table = {'film': ids, **columns}
            for value in (pl.DataFrame(table), pl.LazyFrame(table), pa.table(table)):
                out = read_feature_tables({'text': value})['text']
                assert out.ids.tolist() == ids
                assert out.x.tolist() == ROWS
    vectors = pl.DataFrame(
        {'x': ROWS, 'id': ['a', 'b']}, schema_overrides={'x': pl.Array(pl.Float32, 2)}
    )
    assert read_feature_tables({'text': vectors})['text'].x.tolist() == ROWS


@pytest.mark.parametrize('ids', [['007', 'b'], ['1', '20']])
def test_read_feature_tables_of_texts(tmp_path: Path, ids: list[str]) -> None:
    flat = pd.DataFrame(ROWS, columns=['x', 'y'])
    vectors = pd.DataFrame({'x': [np.float32(row) for row in ROWS]})
    for i, frame in enumerate((flat, vectors)):
        for j, name in enumerate(('item_id', 'id', 'film', None)):
            path = tmp_path / f'{i}{j}.csv'
            frame.set_index(pd.Index(ids, name=name)).to_csv(path)
            table = read_feature_tables({'text': path})['text']
            assert table.ids.tolist() == ids
            assert table.x.tolist() == ROWS
    path = tmp_path / 'a.tsv.gz'
    flat.assign(film=ids).to_csv(path, sep='\t', index=False)
    table = read_feature_tables({'text': path}, item='film')['text']
    assert (table.ids.tolist(), table.x.tolist()) == (ids, ROWS)
    path = tmp_path / 'a.jsonl'
    flat.assign(film=ids).to_json(path, orient='records', lines=True)
    table = read_feature_tables({'text': path}, item='film')['text']
    assert (table.ids.tolist(), table.x.tolist()) == (ids, ROWS)


@pytest.mark.parametrize('ids', [['007', 'b'], [70, 7]])
def test_read_feature_tables_of_parquet(tmp_path: Path, ids: list) -> None:
    pytest.importorskip('pyarrow')
    path = tmp_path / 'a.parquet'
    flat = pd.DataFrame(ROWS, columns=['x', 'y'])
    vectors = pd.DataFrame({'x': ROWS})
    for frame in (flat, vectors):
        named = frame.assign(item_id=ids)
        first = named[['item_id', *frame.columns]].rename(columns={'item_id': 'film'})
        indexed = frame.set_index(pd.Index(ids))
        for table in (named, first, indexed, indexed.rename_axis('film')):
            table.to_parquet(path)
            out = read_feature_tables({'text': path})['text']
            assert (out.ids.tolist(), out.x.tolist()) == (ids, ROWS)
    named.to_parquet(tmp_path / 'parts', partition_cols=['item_id'])
    out = read_feature_tables({'text': tmp_path / 'parts'})['text']
    assert sorted(map(str, out.ids)) == sorted(map(str, ids))


def test_read_feature_tables_of_arrays_beside_ids(tmp_path: Path) -> None:
    np.save(tmp_path / 'image.npy', np.array(ROWS))
    (tmp_path / 'names.txt').write_text('a\nb\n')
    np.save(tmp_path / 'names.npy', np.array(['a', 'b']))
    path = str(tmp_path / 'image.npy')
    for ids in (['a', 'b'], tmp_path / 'names.txt', str(tmp_path / 'names.npy')):
        for x in (path, np.array(ROWS)):
            table = read_feature_tables({'image': (ids, x)})['image']
            assert (table.ids.tolist(), table.x.tolist()) == (['a', 'b'], ROWS)
    with pytest.raises(FileNotFoundError, match=r'image_ids\.npy.*image_ids\.txt'):
        read_feature_tables({'image': path})
    for name in ('ids', 'item_ids', 'image_ids'):
        (tmp_path / f'{name}.txt').write_text(f'{name}\nb\n')
        table = read_feature_tables({'image': path})['image']
        assert (table.ids.tolist(), table.x.tolist()) == ([name, 'b'], ROWS)
    (tmp_path / 'names.npy').unlink()
    np.save(tmp_path / 'text_feat.npy', np.array(ROWS)[:, :1])
    pd.DataFrame({'id': ['b'], 'x': [5]}).to_csv(tmp_path / 'sound.csv', index=False)
    tables = read_feature_tables(tmp_path)
    assert list(tables) == ['image', 'sound', 'text']
    assert tables['text'].ids.tolist() == ['item_ids', 'b']
    assert tables['sound'].x.tolist() == [[5]]


def test_read_feature_tables_of_integers() -> None:
    tables = read_feature_tables({'genre': ([7, 7], [[1, 0], [True, False]])})
    assert tables['genre'].ids.tolist() == [7, 7]
    assert tables['genre'].x.tolist() == [[1, 0], [1, 0]]


def test_read_feature_tables_without_ids() -> None:
    x = torch.tensor(ROWS, requires_grad=True)
    table = read_feature_tables({'text': x}, indexed=True)['text']
    assert table.ids.tolist() == [0, 1]
    assert not table.x.requires_grad
    with pytest.raises(ValueError, match=r'a pair of ids and rows.*\(got Tensor\)'):
        read_feature_tables({'text': x})


def test_read_feature_tables_of_paths(tmp_path: Path) -> None:
    for name in ['text', 'image']:
        np.savez(tmp_path / f'{name}.npz', ids=np.array(['a', 'b']), x=np.array(ROWS))
    (tmp_path / 'README').touch()
    tables = read_feature_tables(tmp_path)
    assert list(tables) == ['image', 'text']
    assert tables['text'].x.tolist() == ROWS
    tables = read_feature_tables({'sound': str(tmp_path / 'text.npz')})
    assert tables['sound'].ids.tolist() == ['a', 'b']


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        ((['a', 'b'], np.zeros((3, 2))), 'of shape [2, *] (got [3, 2])'),
        ((['a'], np.zeros(1)), 'of shape [1, *] (got [1])'),
        ((['a'], np.zeros((1, 0))), 'of shape [1, *] (got [1, 0])'),
        (([], np.zeros((0, 2))), 'of shape [0, *] (got [0, 2])'),
        ({}, 'equally long rows'),
        ((['a', None], ROWS), "'features['text']' needs to hold an id in every pos"),
        ({'a': [1, 2], 'b': [1]}, 'equally long rows of real numbers (stack expects'),
        (
            (['a', 'b'], [[1, 2], [1]]),
            "'features' of 'text' need to be equally long rows of real numbers (",
        ),
        ({'a': ['x']}, 'equally long rows of real numbers ('),
        (
            (['a', 'b'], [[1, 2], [float('nan'), 2]]),
            "to be finite (got nan for item 'b' in column 0)",
        ),
        (([3], [[1e300, 2]]), 'to be finite (got inf for item 3 in column 0'),
        (
            pd.DataFrame({'x': [1, 2], 'y': [1, None]}, index=['a', 'b']),
            "to be finite (got nan for item 'b' in column 'y')",
        ),
        (pd.DataFrame({'id': ['a', 'b'], 'x': ['1', 'y']}), 'real numbers (could not'),
        (pd.DataFrame({'x': [0.5, 2.5], 'y': ['u', 'v']}), 'real numbers (could not'),
        (pd.DataFrame({'id': ['a'], 'x': ['1,5']}), 'real numbers (could not convert'),
        (pd.DataFrame({'id': ['a'], 'x': ['[1 ... 2]']}), 'real numbers (could not'),
        (pd.DataFrame({'id': ['a', 'b'], 'x': [[1], None]}), 'rows of real numbers'),
        (pd.DataFrame({'id': ['a', 'b'], 'x': [[1], [1, 2]]}), 'equally long rows'),
        (np.full((2, 2), np.nan), '(got ndarray)'),
        ((['a', 'b'], np.full((2, 2), np.nan)), "finite (got nan for item 'a'"),
        (pd.DataFrame({'x': []}, index=[], dtype=object), 'of shape [0, *] (got [0'),
        (pd.DataFrame(index=['a', 'b']), 'of shape [2, *] (got [2, 0])'),
        (
            pd.DataFrame({'x': pd.to_datetime(['2024'])}, index=['a']),
            'rows of real numbers (got datetime64[',
        ),
        (
            pd.DataFrame({'x': pd.to_datetime(['2024']), 'y': 1}, index=['a']),
            'rows of real numbers (float() argument must be',
        ),
        (pd.DataFrame({'x': [1j]}, index=['a']), 'numbers (got complex128)'),
        ((['a', 'b'], torch.tensor([[1], [1j]])), 'numbers (got complex64)'),
        (
            (['a', 'b'], np.ma.masked_array(ROWS, mask=[[0, 0], [1, 0]])),
            "to be finite (got nan for item 'b' in column 0",
        ),
        ('nowhere/text.npz', 'nowhere/text.npz'),
        (3, '(got int)'),
    ],
)
def test_read_feature_tables_errors(value: Any, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)):
        read_feature_tables({'text': value})


def test_read_feature_tables_of_other_things(tmp_path: Path) -> None:
    for features in [{'user': {'a': [1]}}, {'': {'a': [1]}}, {3: {'a': [1]}}, [1]]:
        with pytest.raises(ValueError, match='modalities other than'):
            read_feature_tables(features)
    with pytest.raises(FileNotFoundError, match=r"one file '<modality>\.npz' per"):
        read_feature_tables(tmp_path)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        read_feature_tables(tmp_path / 'nowhere')
    (tmp_path / 'text.npz').touch()
    with pytest.raises(NotADirectoryError, match='text'):
        read_feature_tables(tmp_path / 'text.npz')


@given(IDS, st.integers(1, 4))
def test_save_and_load_item_features(
    tmp_path_factory: pytest.TempPathFactory, ids: list, num_columns: int
) -> None:
    folder = tmp_path_factory.mktemp('features')
    x = torch.randn(len(ids), num_columns)
    save_item_features(folder, {'text': (ids, x), 'image': (ids[:1], x[:1])})
    out = load_item_features(folder)
    assert list(out) == ['image', 'text']
    assert out['text'][0] == ids
    assert torch.equal(out['text'][1], x)
    assert out['image'][0] == ids[:1]


def test_save_item_features_replaces_one_modality(tmp_path: Path) -> None:
    save_item_features(tmp_path / 'new', {'text': {'a': [1]}, 'image': {'a': [2]}})
    save_item_features(tmp_path / 'new', {'text': {'b': [3]}})
    out = load_item_features(str(tmp_path / 'new'))
    assert out['text'][0] == ['b']
    assert out['image'][1].tolist() == [[2]]


def test_save_item_features_writes_nothing_on_errors(tmp_path: Path) -> None:
    for features in [
        {'text': {'a': [1]}, 'image': {'a': [float('nan')]}},
    ]:
        with pytest.raises(ValueError, match="'features'"):
            save_item_features(tmp_path, features)
        assert list(tmp_path.iterdir()) == []


def test_save_item_features_with_a_long_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='File name too long'):
        save_item_features(tmp_path, {'x' * 300: {'a': [1]}})


class Bomb:
    def __reduce__(self) -> tuple:
        return pytest.fail, ('The file was unpickled',)


def test_read_feature_tables_never_unpickles(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    np.savez(path, ids=np.array([Bomb()]), x=np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"text\.npz' needs to be saved .*pickle"):
        read_feature_tables(tmp_path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"text\.npz' needs to be saved .*pickle"):
        read_feature_tables(tmp_path)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_read_feature_tables_of_damaged_files(tmp_path: Path, save: Callable) -> None:
    path = tmp_path / 'text.npz'
    x = np.random.default_rng(0).random((9, 3), dtype=np.float32)
    save(path, ids=np.arange(9), x=x)
    content = path.read_bytes()
    np.savez(path, names=np.arange(9), x=x)
    others = [path.read_bytes(), b'', content[:-30]]
    others += [
        content[:i] + bytes([content[i] ^ 255]) + content[i + 1 :]
        for i in range(len(content))
    ]
    messages = []
    for other in others:
        path.write_bytes(other)
        try:  # Some bits mean nothing, such as those of times.
            assert np.array_equal(read_feature_tables(tmp_path)['text'].x, x)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 300
    for message in messages:
        assert message.startswith(f"'{path}' needs to be saved via 'numpy.savez(path,")


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('(1, 1), }', '(2000000000000, 1), }'),
        ('(1, 1), }', '(-1,-1,-1), }'),
        ('<f8', '<U0'),
        ('<f8', '<f4'),
        ('}', '('),
    ],
)
def test_read_feature_tables_whose_header_is_wrong(
    tmp_path: Path, old: str, new: str
) -> None:
    out = io.BytesIO()
    np.save(out, np.zeros((1, 1)))
    header = out.getvalue()[:-8]
    with zipfile.ZipFile(tmp_path / 'text.npz', 'w') as file:
        content = header.replace(old.ljust(len(new)).encode(), new.encode())
        file.writestr('x.npy', content + bytes(8))
        file.writestr('ids.npy', header + bytes(8))
    with pytest.raises(ValueError, match=r"text\.npz' needs to be saved|'features"):
        read_feature_tables(tmp_path)


def test_read_feature_tables_takes_no_memory_out_of_proportion(tmp_path: Path) -> None:
    path = tmp_path / 'text.npz'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        with file.open('x.npy', 'w') as member:
            for _ in range(257):
                member.write(bytes(2**20))
        file.writestr('ids.npy', b'')
    assert path.stat().st_size < 2**19
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"text\.npz' .*269,.* bytes packed into next"):
        read_feature_tables(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    x = np.zeros((1000, 1000), np.float32)
    np.savez_compressed(path, ids=np.arange(1000), x=x)
    assert np.array_equal(read_feature_tables(tmp_path)['text'].x, x)


def test_read_feature_tables_of_addresses(tmp_path: Path) -> None:
    save_item_features(tmp_path, {'text': (['a', 'b'], ROWS)})
    np.save(tmp_path / 'x.npy', np.array(ROWS))
    files = {f'/{path.name}': path.read_bytes() for path in tmp_path.iterdir()}
    with FileServer(files) as server:
        for value in (f'{server.url}/text.npz', (['a', 'b'], f'{server.url}/x.npy')):
            table = read_feature_tables({'text': value})['text']
            assert (table.ids.tolist(), table.x.tolist()) == (['a', 'b'], ROWS)
    for name in ('text.npz', 'text.csv', 'text.parquet'):
        address = f'https://127.0.0.1:9/{name}'
        with pytest.raises(DownloadError, match=f"'{address}' could not be reached"):
            read_feature_tables({'text': address})


def test_numbers_that_may_be_ids_need_a_name() -> None:
    frame = pd.DataFrame({'movie': [1, 2, 3], 'x': [0.5, 1.5, 2.5]})
    for table in (frame, frame[frame.x > 1], frame.set_axis([7, 8, 9])):
        with pytest.raises(ValueError, match=r"where their ids are.*'item='movie''"):
            read_feature_tables({'text': table})
    for options in ({'item': 'movie'}, {'value': frame.set_index('movie')}):
        value = options.pop('value', frame)
        ids, x = read_feature_tables({'text': value}, **options)['text']
        assert (ids.tolist(), x.tolist()) == ([1, 2, 3], [[0.5], [1.5], [2.5]])
    named = frame.rename_axis('item_id')  # Then the column is a feature.
    ids, x = read_feature_tables({'text': named})['text']
    assert (ids.tolist(), x[:, 0].tolist()) == ([0, 1, 2], [1.0, 2.0, 3.0])
    ids, _ = read_feature_tables({'text': pd.DataFrame(ROWS, index=[7, 9])})['text']
    assert ids.tolist() == [7, 9]


def test_a_folder_may_hold_arrays_with_ids_of_their_own(tmp_path: Path) -> None:
    np.save(tmp_path / 'image_feat.npy', np.array(ROWS))
    np.save(tmp_path / 'image_ids.npy', np.array([4, 5]))
    np.savez(tmp_path / 'text', ids=np.array([6, 7]), x=np.array(ROWS))
    (tmp_path / 'text.npz').rename(tmp_path / 'text.NPZ')
    tables = read_feature_tables(tmp_path)
    found = {name: ids.tolist() for name, (ids, _) in tables.items()}
    assert found == {'image': [4, 5], 'text': [6, 7]}
    np.savez(tmp_path / 'image', ids=np.array([4, 5]), x=np.array(ROWS))
    with pytest.raises(ValueError, match='one file a modality'):
        read_feature_tables(tmp_path)
