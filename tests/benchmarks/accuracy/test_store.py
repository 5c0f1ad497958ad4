import numpy as np
import pytest

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.store import COLUMNS, Store

CELL = Cell('main', 'lfm2k', 'lgmrec', {'lr': 1e-3}, seed=1, epochs=3)


def store(tmp_path) -> Store:
    return Store(str(tmp_path / 'results.csv'), str(tmp_path / 'users'))


def test_rows_survive(tmp_path):
    users = {'Recall@20': np.array([0.5, 0.25], dtype=np.float32)}
    result = {'Recall@20': 0.375, 'extra': {'groups': {'1-2': [2, 0.375]}}}
    store(tmp_path).add(CELL, result, users)
    again = store(tmp_path)
    assert CELL in again
    row = again.rows[CELL.key]
    assert tuple(row) == COLUMNS
    assert row['Recall@20'] == '0.375'
    assert row['extra'] == '{"groups": {"1-2": [2, 0.375]}}'
    assert row['config'] == '{"lr": 0.001}'
    assert again.users(CELL.key)['Recall@20'].tolist() == [0.5, 0.25]
    assert again.users('unknown') is None


def test_keys_tell_cells_apart_and_are_stable():
    other = Cell('main', 'lfm2k', 'lgmrec', {'lr': 1e-3}, seed=2, epochs=3)
    assert CELL.key != other.key
    reordered = Cell('main', 'd', 'm', {'a': 1, 'b': 2}).key
    assert reordered == Cell('main', 'd', 'm', {'b': 2, 'a': 1}).key
    assert Cell('main', 'd', 'm').key == '6e70df446f481100'


def test_a_row_that_was_cut_off_is_run_again(tmp_path):
    first = store(tmp_path)
    first.add(CELL, {}, {})
    path = tmp_path / 'results.csv'
    whole = path.read_bytes()
    path.write_bytes(whole + b'0123456789abcdef,main,lfm')
    again = store(tmp_path)
    assert len(again) == 1
    other = Cell('main', 'lfm2k', 'ease')
    again.add(other, {}, {})
    assert path.read_bytes().startswith(whole)
    assert set(store(tmp_path).rows) == {CELL.key, other.key}


def test_discarded_rows_are_gone(tmp_path):
    first = store(tmp_path)
    first.add(CELL, {}, {})
    first.discard([CELL.key, 'unknown'])
    assert CELL not in store(tmp_path)
    first.add(CELL, {}, {})
    assert CELL in store(tmp_path)


def test_other_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match='Recall@99'):
        store(tmp_path).add(CELL, {'Recall@99': 1.0}, {})
    (tmp_path / 'results.csv').write_text('key,value\n1,2\n')
    with pytest.raises(ValueError, match='--output'):
        store(tmp_path)
