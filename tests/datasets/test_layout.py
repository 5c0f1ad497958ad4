import pickle
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lgmrec_pyg.datasets import read_features, read_ids, read_interactions

HEADER = 'userID\titemID\tx_label\n'


def write(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


def test_read_interactions(tmp_path: Path) -> None:
    text = HEADER + '0\t3\t0\n0\t1\t1\n2\t0\t2\n2\t3\t0\n1\t5\t2\n'
    path = write(tmp_path / 'a.inter', text)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        out = read_interactions(path)
    assert out.train.tolist() == [[0, 2], [3, 3]]
    assert out.val.tolist() == [[0], [1]]
    assert out.test.tolist() == [[2, 1], [0, 5]]
    assert (out.num_users, out.num_items) == (3, 6)
    assert out.train.dtype == out.val.dtype == torch.int64
    assert out.train.is_contiguous()


@pytest.mark.parametrize(
    'text',
    [
        '\ufeff' + HEADER + '0\t3\t0\n1\t2\t2\n',
        (HEADER + '0\t3\t0\n1\t2\t2\n').replace('\n', '\r\n'),
        HEADER + '\n0\t3\t0\n\n1\t2\t2\n\n',
        HEADER + '0\t3\t0\n1\t2\t2',
        HEADER + '0\t3.0\t0\n1\t2\t2\n',
        'x_label\titemID\tuserID\n0\t3\t0\n2\t2\t1\n',
        'userID\titemID\trating\ttimestamp\tx_label\n'
        '0\t3\t5.0\t1370000000\t0\n1\t2\t\t"1370000000\t2\n',
    ],
)
def test_read_interactions_variants(tmp_path: Path, text: str) -> None:
    out = read_interactions(write(tmp_path / 'a.inter', text))
    assert out.train.tolist() == [[0], [3]]
    assert out.test.tolist() == [[1], [2]]
    assert out.val.size() == (2, 0)


def test_read_interactions_merges_repeated_pairs(tmp_path: Path) -> None:
    rows = ['0\t3\t2', '0\t3\t0', '0\t3\t1', '1\t1\t2', '1\t1\t1', '2\t2\t0', '2\t2\t0']
    path = write(tmp_path / 'a.inter', HEADER + '\n'.join(rows))
    message = (
        f"'{path}' holds 4 repeated pairs, which were merged (those of several splits "
        f'into the first one)'
    )
    with pytest.warns(UserWarning, match=re.escape(message)):
        out = read_interactions(path)
    assert out.train.tolist() == [[0, 2], [3, 2]]
    assert out.val.tolist() == [[1], [1]]
    assert out.test.numel() == 0


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'No columns to parse'),
        ('0\t1\t0\n', "'userID', 'itemID', 'x_label'"),
        ('userID\titemid\tx_label\n0\t1\t0\n', "'itemID'"),
        ('userID,itemID,x_label\n0,1,0\n', 'separated by tabs'),
        (HEADER, 'no training pair'),
        (HEADER + '0\t1\t1\n1\t1\t2\n', 'no training pair'),
        (HEADER + '0\t1\t0\n\n-3\t1\t0\n', "got {'userID': -3, 'itemID': 1, "),
        (HEADER + '0\t1\t0\n0\t2\t3\n', "'x_label': 3}"),
        (HEADER + '0\t1\t0\n0\t2.5\t0\n', 'float64'),
        (HEADER + 'A1YJ\t1\t0\n', "'A1YJ'"),
        (HEADER + '0\t1\t0\n0\t\t0\n', 'NA values in column 1'),
        (HEADER + '0\t1\t0\n0\t2\n', 'NA values in column 2'),
        (HEADER + f'0\t1\t0\n{10**30}\t2\t0\n', 'Overflow'),
        (HEADER + '0\t1\t0\n0\t2\t0\t9\n', 'Expected 3 fields in line 3, saw 4'),
        (HEADER + '0\t1\t0\t9\n0\t2\t0\t9\n', 'Length of header'),
        (bytes(range(256)).decode('latin-1'), "'userID', 'itemID', 'x_label'"),
    ],
)
def test_read_interactions_errors(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / 'a.inter', text)
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read_interactions(path)
    assert str(info.value).startswith(f"'{path}' needs to be separated by tabs")


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)), min_size=1
    )
)
@settings(max_examples=60, deadline=None)
def test_read_interactions_properties(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]]
) -> None:
    rows.append((0, 0, 0))
    text = HEADER + ''.join(f'{u}\t{i}\t{split}\n' for u, i, split in rows)
    path = write(tmp_path_factory.mktemp('layout') / 'a.inter', text)
    expected: dict[tuple[int, int], int] = {}
    for u, i, split in rows:
        expected[u, i] = min(split, expected.get((u, i), 2))
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter('always')
        out = read_interactions(path)
    assert len(record) == (len(expected) < len(rows))
    pairs = {
        (u, i): split
        for split, index in enumerate([out.train, out.val, out.test])
        for u, i in index.t().tolist()
    }
    assert pairs == expected
    assert out.train.size(1) + out.val.size(1) + out.test.size(1) == len(expected)
    assert out.num_users == max(u for u, _ in expected) + 1
    assert out.num_items == max(i for _, i in expected) + 1


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', '>f4', 'i8', 'u1'])
def test_read_features(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / 'text_feat.npy'
    x = np.arange(6).reshape(3, 2).astype(dtype)
    np.save(path, np.asfortranarray(x))
    out = read_features(str(path), num_items=2)
    assert out.dtype == torch.float32
    assert out.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ('x', 'message'),
    [
        (np.zeros(3), 'a matrix of finite numbers'),
        (np.zeros((3, 0)), 'got [3, 0] numbers for 3 items'),
        (np.zeros((3, 2), dtype=complex), "dtype('complex128')"),
        (np.array([['a'], ['b'], ['c']]), "dtype('<U1')"),
        (np.zeros((2, 4)), 'got [2, 4] numbers for 3 items'),
        (np.array([[0, 1], [0, 1], [np.nan, 1]]), 'got nan in row 2, column 0'),
        (np.array([[0.0], [1.0], [1e300]]), 'got 1e+300 in row 2, column 0'),
        (np.full((3, 4), np.nan), 'got no number but nan, so that no item has the mod'),
    ],
)
def test_read_features_errors(tmp_path: Path, x: np.ndarray, message: str) -> None:
    path = tmp_path / 'text_feat.npy'
    np.save(path, x)
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read_features(str(path), num_items=3)
    assert str(info.value).startswith(f"'{path}' needs to ")


class Bomb:
    def __reduce__(self) -> tuple:
        return pytest.fail, ('The file was unpickled',)


def damaged(path: Path) -> Iterator[bytes]:
    np.save(path, np.array([[Bomb()]]), allow_pickle=True)
    yield path.read_bytes()
    yield pickle.dumps(Bomb())
    yield b''
    np.savez(path.with_suffix('.npz'), x=np.zeros((2, 2)))
    yield path.with_suffix('.npz').read_bytes()
    np.save(path, np.zeros((20, 2)))
    content = path.read_bytes()
    yield content[:200]
    yield content.replace(b'}  ', b'}( ')
    yield content.replace(b'<f8', b',f8')
    yield content.replace(b'(20, 2), }' + b' ' * 20, b'(20, %d)}' % 10**20)


def test_read_features_of_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / 'text_feat.npy'
    for content in damaged(path):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"text_feat\.npy' needs to be a matrix"):
            read_features(str(path), num_items=1)


def test_read_ids_of_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / 'item_ids.txt'
    path.write_text('Café\nä\n', encoding='latin-1')
    with pytest.raises(ValueError, match=r"item_ids.txt' needs .* in UTF-8.*'utf-8'"):
        read_ids(str(path))


@pytest.mark.parametrize(
    'text',
    [
        'asin\titemID\n007\t1\nB01\t0\nC\t2\n',
        'itemID\tasin\n2\tC\n0\tB01\n1\t007\n',
        'itemID,parent_asin\r\n1,007\r\n0,B01\r\n2,C',
        '\ufeff"user_id";"userID"\n"C";2\n"007";1\n"B01";0\n',
    ],
)
def test_read_ids_of_mappings(tmp_path: Path, text: str) -> None:
    assert read_ids(write(tmp_path / 'i_id_mapping.csv', text)) == ['B01', '007', 'C']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('asin\titemID\na\t1\nb\t2\n', 'numbers from 0 (got the numbers [1, 2]'),
        ('asin\titemID\na\t0\nb\t0\n', 'numbers from 0 (got the numbers [0, 0]'),
        (
            'asin\titemID\na\t0\na\t1\n',
            "of distinct ids and their numbers from 0 (got 'a'",
        ),
        (
            'asin\titemID\n\t0\na\t1\n',
            "of distinct ids and their numbers from 0 (got ''",
        ),
        ('asin\titemID\na\tx\n', 'numbers from 0 (invalid literal'),
        ('asin\titem\na\t0\n', "(got the columns ['asin', 'item'])"),
        (
            'asin\titemID\tuserID\na\t0\t0\n',
            "(got the columns ['asin', 'itemID', 'userI",
        ),
        ('itemID\n0\n', "(got the columns ['itemID'])"),
    ],
)
def test_read_ids_of_malformed_mappings(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path / 'i_id_mapping.csv', text)
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read_ids(path)
    assert str(info.value).startswith(f"'{path}' needs to ")
