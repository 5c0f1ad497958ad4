r"""The results: one CSV of rows, and the values of every user beside it."""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks.accuracy.cells import Cell
from lgmrec_pyg.storage.atomic import atomic_write, locked

Row = dict[str, str]

CELL = (
    'key',
    'study',
    'dataset',
    'model',
    'variant',
    'level',
    'config',
    'seed',
    'epochs',
    'patience',
)
METRICS = ('Recall@10', 'Recall@20', 'NDCG@10', 'NDCG@20', 'Precision@20', 'MAP@20')
RESULT = (
    'val_Recall@20',
    'val_NDCG@20',
    *METRICS,
    'users',
    'best_epoch',
    'epochs_run',
    'train_seconds',
    'eval_seconds',
    'peak_mib',
    'parameters',
    'extra',
    'error',
)
ENVIRONMENT = (
    'device',
    'machine',
    'threads',
    'python',
    'torch',
    'torch_geometric',
    'torch_sparse',
    'triton',
    'lgmrec_pyg',
    'date',
)
COLUMNS = (*CELL, *RESULT, *ENVIRONMENT)
HEADER = {name: name for name in COLUMNS}


class Store:
    r"""The rows of finished cells, by key.

    A row is on disk as soon as it is added. A row that was cut off, by a loss of
    power say, is removed when the file is next added to.

    Args:
        path (str): The path of the CSV.
        cache (str): The folder of the values of every user.

    Raises:
        ValueError: If the file has other columns.
    """

    def __init__(self, path: str, cache: str) -> None:
        self.path = path
        self.cache = cache
        self.rows: dict[str, Row] = {}
        if os.path.exists(path):
            self._read()

    def __contains__(self, cell: Cell) -> bool:
        return cell.key in self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def add(
        self, cell: Cell, result: Mapping[str, object], users: Mapping[str, np.ndarray]
    ) -> Row:
        r"""Writes the row of a cell, and the values of its users before.

        Args:
            cell (Cell): The cell.
            result (Dict[str, Any]): The other columns; missing ones stay empty.
            users (Dict[str, numpy.ndarray]): Arrays to keep, if any.
        """
        row = dict.fromkeys(COLUMNS, '') | {'key': cell.key} | cell.columns
        row |= {name: _text(value) for name, value in result.items()}
        if set(row) != set(COLUMNS):
            raise ValueError(
                f"'result' needs to hold some of {RESULT + ENVIRONMENT} "
                f'(got {sorted(set(row) - set(COLUMNS))})'
            )
        if users:
            path = self.users_path(cell.key)
            with atomic_write(path) as partial, open(partial, 'wb') as file:
                np.savez_compressed(file, **users)  # type: ignore[arg-type]
        self._append(row)
        self.rows[cell.key] = row
        return row

    def users(self, key: str) -> dict[str, np.ndarray] | None:
        r"""The values of every user of a cell, if they are kept."""
        path = self.users_path(key)
        if not os.path.exists(path):
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    def users_path(self, key: str) -> str:
        r"""Where the values of every user of a cell are."""
        return os.path.join(self.cache, f'{key}.npz')

    def discard(self, keys: Iterable[str]) -> None:
        r"""Removes rows, to run their cells again."""
        for key in keys:
            self.rows.pop(key, None)
        with (
            atomic_write(self.path) as partial,
            open(partial, 'w', newline='', encoding='utf-8') as file,
        ):
            file.write(_lines([HEADER, *self.rows.values()]))

    def _read(self) -> None:
        with open(self.path, newline='', encoding='utf-8') as file:
            text = file.read()
        complete = text[: text.rfind('\n') + 1]
        reader = csv.DictReader(io.StringIO(complete))
        if complete and tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"'{self.path}' needs to have the columns {list(COLUMNS)} (got "
                f"{reader.fieldnames}): choose another '--output'"
            )
        for row in reader:
            self.rows[row['key']] = row

    def _append(self, row: Row) -> None:
        folder = os.path.dirname(os.path.abspath(self.path))
        os.makedirs(folder, exist_ok=True)
        with locked(folder), open(self.path, 'ab+') as file:
            file.seek(0)
            content = file.read()
            complete = content.rfind(b'\n') + 1
            file.truncate(complete)
            header = '' if complete else _lines([HEADER])
            file.write((header + _lines([row])).encode())
            file.flush()
            os.fsync(file.fileno())


def _lines(rows: Iterable[Row]) -> str:
    out = io.StringIO()
    csv.DictWriter(out, COLUMNS, lineterminator='\n').writerows(rows)
    return out.getvalue()


def _text(value: object) -> str:
    if isinstance(value, float):
        return '' if value != value else f'{value:.6g}'
    return json.dumps(value) if isinstance(value, dict) else str(value)
