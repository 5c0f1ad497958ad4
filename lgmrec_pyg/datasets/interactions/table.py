from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.datasets.interactions.source import (
    TableSource,
    columns_of_edge_index,
    read_columns,
)
from lgmrec_pyg.ids import as_ids

if TYPE_CHECKING:
    import pandas as pd


class InteractionTable(NamedTuple):
    r"""Interactions, sorted by user and item, with their ids set apart.

    Args:
        edge_index (torch.Tensor): The pairs of indices into the ids.
        user_ids (numpy.ndarray): The ids of users, sorted.
        item_ids (numpy.ndarray): The ids of items, sorted.
        rating (torch.Tensor, optional): The ratings.
        time (torch.Tensor, optional): When the interactions happened.
    """

    edge_index: Tensor
    user_ids: np.ndarray
    item_ids: np.ndarray
    rating: Tensor | None
    time: Tensor | None

    def select(self, index: Tensor) -> 'InteractionTable':
        r"""Selects interactions by their indices or a mask."""
        return self._replace(
            edge_index=self.edge_index[:, index],
            rating=None if self.rating is None else self.rating[index],
            time=None if self.time is None else self.time[index],
        )


def read_interaction_table(
    interactions: Any,
    user: str = 'user_id',
    item: str = 'item_id',
    rating: str | None = None,
    timestamp: str | None = None,
) -> InteractionTable:
    r"""Reads interactions from wherever they are.

    Args:
        interactions (pandas.DataFrame or str or torch.Tensor): The interactions:
            a table, the path of a CSV, TSV or Parquet file, or an
            :obj:`edge_index`.
        user (str, optional): The column of users. (default: :obj:`"user_id"`)
        item (str, optional): The column of items. (default: :obj:`"item_id"`)
        rating (str, optional): The column of ratings. (default: :obj:`None`)
        timestamp (str, optional): The column of timestamps, which are numbers or
            dates. (default: :obj:`None`)

    Raises:
        ValueError: If a column is missing, or a value in it, naming the row or
            the line.
    """
    named = {'user': user, 'item': item, 'rating': rating, 'timestamp': timestamp}
    columns = {key: column for key, column in named.items() if column is not None}
    if isinstance(interactions, (Tensor, np.ndarray)):
        if len(columns) > 2:
            raise ValueError(
                "'rating' and 'timestamp' need 'interactions' to be a table (got an "
                "'edge_index')"
            )
        source = columns_of_edge_index(interactions, (user, item))
    else:
        source = read_columns(interactions, list(columns.values()), list(columns))
    if len(source.frame) == 0:
        raise ValueError(f'{source.name} needs to hold interactions (got none)')
    users, user_ids = _ids(source, user)
    items, item_ids = _ids(source, item)
    order = np.argsort(users * len(item_ids) + items, kind='stable')
    table = InteractionTable(
        torch.from_numpy(np.stack([users, items])),
        user_ids,
        item_ids,
        None if rating is None else torch.from_numpy(_numbers(source, rating)),
        None if timestamp is None else torch.from_numpy(_times(source, timestamp)),
    )
    return table.select(torch.from_numpy(order))


def _ids(source: TableSource, column: str) -> tuple[np.ndarray, np.ndarray]:
    codes, values = source.frame[column].factorize()
    values = values.to_numpy()
    # The code of missing values is -1, the last entry:
    missing = np.append(values == '', True)[codes]
    if missing.any():
        raise ValueError(
            f'{source.name} needs to hold an id in every {source.unit} of column '
            f"'{column}' (got none in {source.place(missing)}, and {missing.sum()} "
            f'missing in total)'
        )
    try:
        ids = as_ids(values)
    except ValueError:
        as_ids(source.frame[column], column)
        raise
    order = ids.argsort(kind='stable')
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[codes], ids[order]


def _numbers(source: TableSource, column: str) -> np.ndarray:
    values = _to_numbers(source.frame[column])
    _refuse(source, column, ~np.isfinite(values), 'finite numbers')
    return values


def _times(source: TableSource, column: str) -> np.ndarray:
    import pandas as pd

    values = source.frame[column]
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        numbers = _to_numbers(values)
        is_number = np.isfinite(numbers)
        if is_number.any():
            needed = 'finite numbers, or dates throughout'
            _refuse(source, column, ~is_number, needed)
            return numbers
        values = pd.to_datetime(values, format='ISO8601', errors='coerce', utc=True)
    needed = 'numbers or dates such as 2024-01-31 or 2024-01-31 23:59:59'
    _refuse(source, column, values.isna().to_numpy(), needed)
    return values.to_numpy(dtype='datetime64[us]').astype(np.int64)


def _to_numbers(values: 'pd.Series') -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(values, errors='coerce')
    if pd.api.types.is_integer_dtype(numbers.dtype) and not numbers.hasnans:
        return numbers.to_numpy(dtype=np.int64, copy=True)
    return numbers.to_numpy(dtype=np.float64, copy=True, na_value=np.nan)


def _refuse(source: TableSource, column: str, wrong: np.ndarray, needed: str) -> None:
    if wrong.any():
        value = source.frame[column][wrong].tolist()[0]
        raise ValueError(
            f"{source.name} needs to hold {needed} in column '{column}' (got "
            f'{value!r} in {source.place(wrong)}, and {wrong.sum()} such values in '
            f'total)'
        )
