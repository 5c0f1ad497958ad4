r"""Tables of interactions, from wherever they are."""

import csv
import os
import os.path as osp
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.graph import as_ids
from lgmrec_pyg.storage import reading

PARQUET = ('.parquet', '.pq')
CHUNK_SIZE = 2**18
SEPARATORS = ',\t;|'


class InteractionTable(NamedTuple):
    r"""Interactions, sorted by user and item: pairs of indices into sorted ids."""

    edge_index: Tensor
    user_ids: np.ndarray
    item_ids: np.ndarray
    rating: Tensor | None
    time: Tensor | None
    weight: Tensor | None = None

    def select(self, index: Tensor) -> 'InteractionTable':
        r"""Selects interactions by their indices or a mask."""
        rows = (None if x is None else x[index] for x in self[3:])
        return InteractionTable(self.edge_index[:, index], *self[1:3], *rows)


def read_interaction_table(
    interactions: Any,
    user: str = 'user_id',
    item: str = 'item_id',
    rating: str | None = None,
    timestamp: str | None = None,
    weight: str | None = None,
) -> InteractionTable:
    r"""Reads interactions in the forms that
    :meth:`~lgmrec_pyg.datasets.graph_from_interactions` takes.
    """
    columns = {'user': user, 'item': item}
    further = {'rating': rating, 'timestamp': timestamp, 'weight': weight}
    columns |= {key: column for key, column in further.items() if column is not None}
    if isinstance(interactions, (str, os.PathLike)):
        path = osp.expanduser(os.fspath(interactions))
        read = _read_parquet if path.lower().endswith(PARQUET) else _read_text
        name, frame = f"'{path}'", read(path, columns)
    else:
        name, frame = "'interactions'", _to_frame(interactions, columns)
    if len(frame) == 0:
        raise ValueError(f'{name} needs to hold interactions (got none)')
    users, user_ids = _factorize(name, frame[user])
    items, item_ids = _factorize(name, frame[item])
    order = torch.from_numpy(np.lexsort([items, users]))
    edge_index = torch.from_numpy(np.stack([users, items]))
    ratings = None if rating is None else _to_numbers(name, frame[rating])
    times = None if timestamp is None else _to_times(name, frame[timestamp])
    weights = None if weight is None else _to_numbers(name, frame[weight])
    table = InteractionTable(edge_index, user_ids, item_ids, ratings, times, weights)
    return table.select(order)


def _to_frame(table: Any, columns: dict[str, str]) -> pd.DataFrame:
    if isinstance(table, (Tensor, np.ndarray)) and len(columns) == 2:
        pairs = torch.as_tensor(table).detach().cpu().as_subclass(Tensor).numpy()
        if pairs.ndim == 2 and len(pairs) == 2 and pairs.dtype.kind in 'iu':
            return pd.DataFrame(pairs.T, columns=list(columns.values()))
    if not isinstance(table, pd.DataFrame):
        raise ValueError(
            f"'interactions' needs to be a 'pandas.DataFrame', the path of a file, or, "
            f"without ratings and timestamps, an 'edge_index' of shape [2, *] (got "
            f'{type(table).__name__})'
        )
    _check_columns("'interactions'", list(table.columns), columns)
    return table[list(columns.values())].reset_index(drop=True).rename_axis('row')


def _read_parquet(path: str, columns: dict[str, str]) -> pd.DataFrame:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f"Reading '{path}' needs 'pyarrow': pip install pyarrow"
        ) from error
    needs = 'an undamaged Parquet file'
    with open(path, 'rb') as file:
        with reading(path, needs):
            content = parquet.ParquetFile(file)
        _check_columns(f"'{path}'", content.schema_arrow.names, columns)
        with reading(path, needs):
            table = content.read(columns=list(columns.values()))
            table.validate(full=True)
            # Metadata of pandas may make one of the columns the index:
            return table.to_pandas(ignore_metadata=True).rename_axis('row')


def _read_text(path: str, columns: dict[str, str]) -> pd.DataFrame:
    needs = 'undamaged text in UTF-8, with as many fields in every line as in the first'
    options: dict[str, Any] = {
        'dtype': str,
        'keep_default_na': False,
        'skip_blank_lines': False,
        'index_col': False,
    }
    with reading(path, needs):
        # No text holds this separator, which makes the first line a field:
        whole = {'sep': '\0', 'header': None, 'nrows': 1, 'quoting': csv.QUOTE_NONE}
        line = str(pd.read_csv(path, **options, **whole).iloc[0, 0])
        fields = {x: next(csv.reader([line], delimiter=x)) for x in SEPARATORS}
    separator = max(fields, key=lambda x: len(fields[x]))
    _check_columns(f"'{path}'", fields[separator], columns)
    is_quoted = separator != '\t' or '"' in line
    quoting = csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE
    with reading(path, needs), warnings.catch_warnings():
        # Lines longer than the header would silently lose their last fields, as they
        # would if only the columns to use were read:
        warnings.simplefilter('error', pd.errors.ParserWarning)
        options |= {'sep': separator, 'quoting': quoting, 'chunksize': CHUNK_SIZE}
        chunks = pd.read_csv(path, **options)
        frame = pd.concat(chunk[list(columns.values())] for chunk in chunks)
    frame.index = pd.RangeIndex(2, len(frame) + 2, name='line')
    return frame[(frame != '').any(axis=1)]


def _check_columns(name: str, found: list[Any], columns: dict[str, str]) -> None:
    for argument, column in columns.items():
        if found.count(column) != 1:
            raise ValueError(
                f"{name} needs to have one column '{column}', or another one that the "
                f"argument '{argument}' names (got the columns {found[:20]})"
            )


def _factorize(name: str, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    codes, values = column.factorize()
    # The code of missing values is -1, the last entry:
    missing = np.append(np.asarray(values == ''), True)[codes]
    _check(name, column, ~missing, 'ids')
    ids = as_ids(values, ' of '.join([str(column.name), name.strip("'")]))
    order = ids.argsort(kind='stable')
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[codes], ids[order]


def _to_numbers(name: str, column: pd.Series) -> Tensor:
    numbers = pd.to_numeric(column, errors='coerce')
    if pd.api.types.is_signed_integer_dtype(numbers) and not numbers.hasnans:
        return torch.from_numpy(numbers.to_numpy(np.int64, copy=True))
    values = numbers.to_numpy(np.float64, copy=True, na_value=np.nan)
    _check(name, column, np.isfinite(values), 'finite numbers')
    return torch.from_numpy(values)


def _to_times(name: str, column: pd.Series) -> Tensor:
    # Inferring the type of numbers would round integers next to fractions:
    inferred = column.infer_objects()
    times = inferred if inferred.dtype.kind in 'mM' else column
    is_date = times.dtype.kind in 'mM'
    if not is_date and pd.to_numeric(times, errors='coerce').notna().any():
        return _to_numbers(name, column)
    if times.dtype.kind != 'm':
        times = pd.to_datetime(times, format='ISO8601', errors='coerce', utc=True)
    good = times.notna().to_numpy()
    _check(name, column, good, 'numbers or dates such as 2024-01-31 23:59:59')
    return torch.from_numpy(times.astype('int64').to_numpy(np.int64, copy=True))


def _check(name: str, column: pd.Series, good: np.ndarray, needed: str) -> None:
    if not good.all():
        place = column.index[(~good).argmax()]
        value = column[[place]].tolist()[0]
        raise ValueError(
            f"{name} needs to hold {needed} in column '{column.name}' (got {value!r} "
            f'in {column.index.name} {place}, and {(~good).sum()} such values in total)'
        )
