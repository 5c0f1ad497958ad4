import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lgmrec_pyg.datasets.features.table import read_feature_tables

ROWS = [[1.0, 2.0], [3.0, 4.5]]
SPARSE = pd.arrays.SparseArray


@pytest.mark.parametrize(
    'value',
    [
        pd.DataFrame(ROWS, index=['a', 'b']),
        pd.DataFrame(ROWS, index=['a', 'b'], columns=['x', 'y'], dtype='Float32'),
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
    with pytest.raises(ValueError, match=r"'text' need to be a table .*got ndarray"):
        read_feature_tables({'text': np.array(3.0)}, indexed=True)


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
        ({}, 'of shape [0, *]'),
        ((['a', None], ROWS), "'features['text']' needs to hold an id in every pos"),
        (
            {'a': [1, 2], 'b': [1]},
            "equally long rows (got 2 numbers for 'a', and 1 for 'b')",
        ),
        (
            (['a', 'b'], [[1, 2], [1]]),
            "'features' of 'text' need to be equally long rows of numbers (",
        ),
        ({'a': ['x']}, 'equally long rows of numbers (could not convert'),
        (
            (['a', 'b'], [[1, 2], [float('nan'), 2]]),
            "to be finite (got nan for item 'b' in column 0, and 1 such entries in",
        ),
        (([3], [[1e300, 2]]), 'to be finite (got inf for item 3 in column 0'),
        (
            pd.DataFrame({'x': [1, 2], 'y': [1, None]}, index=['a', 'b']),
            "to be finite (got nan for item 'b' in column 'y'",
        ),
        (
            pd.DataFrame({'id': ['a', 'b'], 'x': [1, 2]}),
            "column 'id'; the ids belong in the index)",
        ),
        (
            pd.DataFrame([[1, 2], [3, 4]], index=['a', 'b'], columns=['x', 'x']),
            "columns of different names (got 'x' twice, and 1 repetitions in total)",
        ),
        (pd.DataFrame({'x': []}, index=[], dtype=object), 'of shape [0, *] (got [0'),
        (pd.DataFrame(index=['a', 'b']), 'of shape [2, *] (got [2, 0])'),
        (
            pd.DataFrame({'x': pd.to_datetime(['2024'])}, index=['a']),
            "real numbers (got Timestamp('2024-01-01 00:00:00') of type datetime64[",
        ),
        (
            pd.DataFrame({'x': [1, 'b']}, index=['a', 'b']),
            "to hold real numbers (got 1 of type object in column 'x'",
        ),
        (pd.DataFrame({'x': [1j]}, index=['a']), 'of type complex128 in column'),
        (
            pd.DataFrame({'x': SPARSE([0, 1j])}, index=['a', 'b']),
            'of type Sparse[complex128, ',
        ),
        (
            pd.DataFrame({'x': SPARSE(pd.to_datetime(['2024', '2025']))}, ['a', 'b']),
            'of type Sparse[datetime64[',
        ),
        (
            (['a', 'b'], np.array([[1], [1j]], dtype=np.complex64)),
            'rows of numbers (got complex64)',
        ),
        ((['a', 'b'], torch.tensor([[1], [1j]])), 'numbers (got torch.complex64)'),
        ({'a': [1], 'b': [np.complex64(1j)]}, 'rows of numbers (got complex64)'),
        (
            (['a'], np.array([[np.complex64(1j), None]])),
            'discards the imaginary part)',
        ),
        ((['a'], np.array([['2024']], dtype='M8[D]')), '(got datetime64[D])'),
        (
            (['a', 'b'], np.ma.masked_array(ROWS, mask=[[0, 0], [1, 0]])),
            "to be finite (got nan for item 'b' in column 0",
        ),
        ((['a'], torch.zeros(1, 1, device='meta')), 'out of meta tensor'),
        ('nowhere/text.npz', 'nowhere/text.npz'),
        (3, '(got int)'),
    ],
)
def test_read_feature_tables_errors(value: Any, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)):
        read_feature_tables({'text': value})


def test_read_feature_tables_of_other_things(tmp_path: Path) -> None:
    for modality in ['user', 'item', '', 3]:
        with pytest.raises(ValueError, match='modalities that are named other than'):
            read_feature_tables({modality: {'a': [1]}})
    with pytest.raises(ValueError, match=r'or the path of a folder \(got list\)'):
        read_feature_tables([1])
    with pytest.raises(FileNotFoundError, match=r"one file '<modality>\.npz' per"):
        read_feature_tables(tmp_path)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        read_feature_tables(tmp_path / 'nowhere')
    (tmp_path / 'text.npz').touch()
    with pytest.raises(ValueError, match=r"such as {'text': '.*text\.npz'} \(got a f"):
        read_feature_tables(tmp_path / 'text.npz')
