r"""Tables of interactions, from wherever they are."""

import re
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.datasets.frames import read_frame
from lgmrec_pyg.datasets.text_tables import Columns
from lgmrec_pyg.datasets.times import to_dates
from lgmrec_pyg.graph import as_ids

NO_FRACTION = re.compile(r'^([+-]?\d+)\.0+$')


class InteractionTable(NamedTuple):
    r"""Interactions, sorted by user and item: pairs of indices into sorted ids. Those
    of the user's own splits are labelled, see :mod:`~lgmrec_pyg.datasets.splits`.
    """

    edge_index: Tensor
    user_ids: np.ndarray
    item_ids: np.ndarray
    rating: Tensor | None
    time: Tensor | None
    weight: Tensor | None = None
    label: Tensor | None = None

    def select(self, index: Tensor) -> 'InteractionTable':
        r"""Selects interactions by their indices or a mask."""
        if index.dtype == torch.bool and bool(index.all()):
            return self
        rest = [None if x is None else x[index] for x in self[3:]]
        return InteractionTable(
            self.edge_index[:, index], self.user_ids, self.item_ids, *rest
        )


def read_interaction_table(
    interactions: Any,
    columns: Columns,
    separator: str | None = None,
    date_format: str | None = None,
    name: str = 'interactions',
) -> InteractionTable:
    r"""Reads interactions in the forms that
    :meth:`~lgmrec_pyg.datasets.graph_from_interactions` takes, and sorts them by user
    and item.
    """
    name, frame = read_frame(interactions, columns, separator, name=f"'{name}'")
    if len(frame) == 0:
        raise ValueError(f'{name} needs to hold interactions (got none)')
    table = table_of(name, frame, columns, date_format)
    items, users = table.edge_index.flip(0).numpy()
    return table.select(torch.from_numpy(np.lexsort([items, users])))


def columns_of(
    user: str | int,
    item: str | int,
    rating: str | int | None = None,
    timestamp: str | int | None = None,
    weight: str | int | None = None,
) -> Columns:
    r"""Returns the columns to read by the arguments that name them."""
    columns = {'user': user, 'item': item}
    further = {'rating': rating, 'timestamp': timestamp, 'weight': weight}
    return columns | {key: x for key, x in further.items() if x is not None}


def table_of(
    name: str, frame: pd.DataFrame, columns: Columns, date_format: str | None = None
) -> InteractionTable:
    r"""Returns the rows of a table in their order. The name is what errors call it,
    beside the name of its index.
    """
    sides = [_factorize(name, frame[columns[key]]) for key in ('user', 'item')]
    (users, user_ids), (items, item_ids) = sides
    edge_index = torch.from_numpy(np.stack([users, items]))
    rating, weight = (
        _to_numbers(name, frame[columns[key]]) if key in columns else None
        for key in ('rating', 'weight')
    )
    time = None
    if 'timestamp' in columns:
        time = _to_times(name, frame[columns['timestamp']], date_format)
    return InteractionTable(edge_index, user_ids, item_ids, rating, time, weight)


def warn_alike(ids: np.ndarray, column: Any) -> None:
    r"""Warns of ids that are probably one: 123, 123.0, and 123 after a space."""
    if ids.dtype != object:
        return
    texts = pd.Series(ids, dtype=object).str.normalize('NFKC').str.strip()
    bare = texts.str.replace(NO_FRACTION, r'\1', regex=True)
    alike = bare.duplicated(keep=False).to_numpy()
    if alike.any():
        some = ', '.join(map(repr, ids[(bare == bare[alike.argmax()]).to_numpy()][:3]))
        warnings.warn(
            f"Column '{column}' holds {alike.sum()} ids that differ in spaces, zeros "
            f'after a point or the encoding of characters alone, such as {some}: they '
            f'are different ids',
            stacklevel=3,
        )


def join_splits(parts: dict[int, InteractionTable]) -> InteractionTable:
    r"""Joins interactions of several splits, given by their labels."""
    tables = list(parts.values())
    rows, all_ids = [], []
    for side, name in enumerate(('user_ids', 'item_ids')):
        known = [getattr(table, name) for table in tables]
        if len({ids.dtype for ids in known}) > 1:  # Those of texts are strings.
            known = [ids.astype(str).astype(object) for ids in known]
        ids = np.unique(np.concatenate(known))
        pairs = zip(known, tables, strict=True)
        places = [np.searchsorted(ids, x)[y.edge_index[side].numpy()] for x, y in pairs]
        rows.append(np.concatenate(places))
        all_ids.append(ids)
    rest = [
        torch.cat(columns) if isinstance(columns[0], Tensor) else None
        for columns in zip(*(table[3:6] for table in tables), strict=True)
    ]
    label = np.repeat(list(parts), [table.edge_index.size(1) for table in tables])
    order = torch.from_numpy(np.lexsort([label, rows[1], rows[0]]))
    edge_index, labels = torch.from_numpy(np.stack(rows)), torch.from_numpy(label)
    users, items = all_ids
    table = InteractionTable(edge_index, users, items, *rest)._replace(label=labels)
    return table.select(order)


def merge_repeated(table: InteractionTable) -> InteractionTable:
    r"""Merges interactions of the same user and item into the earliest one, of the
    first split.
    """
    repeats = (table.edge_index.diff(dim=1) == 0).all(dim=0)
    first = torch.cat([repeats.new_zeros(1), repeats]).logical_not()
    if table.label is not None:
        num_moved = int((repeats & (table.label.diff() > 0)).sum())
        if num_moved > 0:
            warnings.warn(
                f"'val' and 'test' hold {num_moved} pairs of an earlier split, where "
                f'they are kept',
                stacklevel=3,
            )
    out, starts = table.select(first), first.nonzero().flatten().numpy()
    if table.time is not None:
        time = np.minimum.reduceat(table.time.numpy(), starts)
        out = out._replace(time=torch.from_numpy(time))
    if table.weight is not None:
        weight = np.add.reduceat(table.weight.numpy(), starts)
        out = out._replace(weight=torch.from_numpy(weight))
    return out


def _factorize(name: str, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    try:
        codes, values = column.factorize()
    except TypeError as error:
        raise ValueError(
            f"{name} needs to hold ids in column '{column.name}' (got "
            f'{column.iloc[0]!r:.50})'
        ) from error
    # The code of missing values is -1, the last entry:
    missing = np.append(np.asarray(values == ''), True)[codes]
    _check(name, column, ~missing, 'ids')
    ids = as_ids(values, ' of '.join([str(column.name), name.strip("'")]))
    ids, place = np.unique(ids, return_inverse=True)
    return place[codes], ids


def _to_numbers(name: str, column: pd.Series) -> Tensor:
    numbers = pd.to_numeric(column, errors='coerce')
    if pd.api.types.is_signed_integer_dtype(numbers) and not numbers.hasnans:
        return torch.from_numpy(numbers.to_numpy(np.int64, copy=True))
    values = numbers.to_numpy(np.float64, copy=True, na_value=np.nan)
    _check(name, column, np.isfinite(values), 'finite numbers')
    return torch.from_numpy(values)


def _to_times(name: str, column: pd.Series, date_format: str | None) -> Tensor:
    times = parse_times(name, column, date_format)
    if times.dtype.kind not in 'mM':
        return _to_numbers(name, column)
    return torch.from_numpy(times.astype('int64').to_numpy(np.int64, copy=True))


def parse_times(
    name: str, column: pd.Series, date_format: str | None = None
) -> pd.Series:
    r"""Returns timestamps as dates or durations, unless they are numbers."""
    times = to_dates(column, date_format)
    if times is None:
        return column
    known = 'numbers or dates such as 2024-01-31 23:59:59'
    needed = f"{known}, or in a 'date_format'," if date_format is None else 'dates'
    _check(name, column, times.notna().to_numpy(), needed)
    return times


def _check(name: str, column: pd.Series, good: np.ndarray, needed: str) -> None:
    if not good.all():
        place = int((~good).argmax())
        value = column.iloc[[place]].tolist()[0]
        raise ValueError(
            f"{name} needs to hold {needed} in column '{column.name}' (got {value!r} "
            f'in {column.index.name} {column.index[place]}, and {(~good).sum()} such '
            f'values in total)'
        )
