from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.datasets.interactions.source import (
    TableSource,
    columns_of_edge_index,
    read_columns,
)
from lgmrec_pyg.datasets.interactions.values import read_ratings, read_timestamps
from lgmrec_pyg.graph import as_ids


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
    columns = {'user': user, 'item': item}
    further = {'rating': rating, 'timestamp': timestamp}
    columns |= {key: column for key, column in further.items() if column is not None}
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
        None if rating is None else torch.from_numpy(read_ratings(source, rating)),
        None
        if timestamp is None
        else torch.from_numpy(read_timestamps(source, timestamp)),
    )
    return table.select(torch.from_numpy(order))


def _ids(source: TableSource, column: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        codes, values = source.frame[column].factorize()
    except TypeError:  # Of values such as lists.
        as_ids(source.frame[column], column)
        raise
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
