r"""Interactions larger than memory, read part by part.

Parquet is read by :obj:`pyarrow.dataset`: it is what reads Parquet here anyway,
streams row groups of one or of many files, and leaves the conversion of values to the
code that a whole table goes through. Texts are parsed by pandas in either way.
"""

import os
import os.path as osp
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.datasets.frames import are_paths, is_path, read_parts
from lgmrec_pyg.datasets.tables import InteractionTable, parse_times, table_of
from lgmrec_pyg.datasets.text_tables import Columns
from lgmrec_pyg.graph import as_ids

LARGE = 2**28
PART_ROWS = 2**20
UNITS = ('', 's', 'ms', 'us', 'ns')


class Part(NamedTuple):
    r"""Rows of a table: users and items by their order of appearance, and ratings,
    times and weights if there are any.
    """

    user: np.ndarray
    item: np.ndarray
    rating: Any
    time: Any
    weight: Any
    unit: str


def is_large(interactions: Any) -> bool:
    r"""Whether interactions are read part by part: those of several files, or of a
    large one.
    """
    if not is_path(interactions):
        return are_paths(interactions)
    path = osp.expanduser(os.fspath(interactions))
    return osp.isdir(path) or (osp.isfile(path) and osp.getsize(path) >= LARGE)


def stream_table(
    source: Any,
    columns: Columns,
    separator: str | None = None,
    date_format: str | None = None,
) -> InteractionTable:
    r"""Reads the interactions of a file, or of all files of a folder or a list, such
    that only distinct ids and numbers are held, and no text of all rows.
    """
    path = os.fspath(source[0] if isinstance(source, list) else source)
    timestamp = columns.get('timestamp')
    users, items = _codes(), _codes()
    parts = []
    for name, frame in read_parts(source, columns, separator, part_rows=PART_ROWS):
        if len(frame) > 0:
            kind, first, last = frame.index.name, frame.index[0], frame.index[-1]
            place = f'{name} in {kind}s {first} to {last}'
            parts.append(_encode(place, frame, columns, date_format, users, items))
    if not parts:
        raise ValueError(f"'{path}' needs to hold interactions (got none)")
    units = {part.unit for part in parts}
    if len(units) > 1 and '' in units:
        raise ValueError(
            f"'{path}' needs to hold either numbers or dates in column '{timestamp}' "
            f'(got both)'
        )
    user_ids, user_rank = _sort(users)
    item_ids, item_rank = _sort(items)
    del users, items
    ends = np.cumsum([len(part.user) for part in parts])
    key = np.empty(ends[-1], dtype=np.int64)
    for part, end in zip(parts, ends, strict=True):
        rows = key[end - len(part.user) : end]
        np.multiply(user_rank[part.user], len(item_ids), out=rows)
        rows += item_rank[part.item]
    times = None if timestamp is None else _in_one_unit(parts, units)
    ratings = [part.rating for part in parts] if 'rating' in columns else None
    weights = [part.weight for part in parts] if 'weight' in columns else None
    columns_left = [
        None if x is None else torch.cat(x) for x in (ratings, times, weights)
    ]
    del parts, ratings, times, weights
    if columns_left == [None, None, None]:
        key.sort()
    else:
        order = torch.from_numpy(key.argsort(kind='stable'))
        key = key[order.numpy()]
        columns_left = [None if x is None else x[order] for x in columns_left]
    edge_index = np.empty((2, len(key)), dtype=np.int64)
    np.divmod(key, len(item_ids), out=(edge_index[0], edge_index[1]))
    pairs = torch.from_numpy(edge_index)
    return InteractionTable(pairs, user_ids, item_ids, *columns_left)


def _encode(
    name: str,
    frame: pd.DataFrame,
    columns: Columns,
    date_format: str | None,
    users: defaultdict[Any, int],
    items: defaultdict[Any, int],
) -> Part:
    unit = ''
    if 'timestamp' in columns:
        column = columns['timestamp']
        times = parse_times(name, frame[column], date_format)
        if times.dtype.kind in 'mM':
            unit = times.dt.unit
            frame = frame.assign(**{column: times})
    table = table_of(name, frame, columns)
    pairs = []
    for row, ids, codes in zip(
        table.edge_index.numpy(),
        (table.user_ids, table.item_ids),
        (users, items),
        strict=True,
    ):
        found = map(codes.__getitem__, ids.tolist())
        pairs.append(np.fromiter(found, np.int32, len(ids))[row])
    return Part(pairs[0], pairs[1], table.rating, table.time, table.weight, unit)


def _codes() -> defaultdict[Any, int]:
    r"""Numbers keys in the order in which they are first looked up."""
    codes: defaultdict[Any, int] = defaultdict()
    codes.default_factory = codes.__len__
    return codes


def _sort(codes: defaultdict[Any, int]) -> tuple[np.ndarray, np.ndarray]:
    ids = as_ids(list(codes))
    order = ids.argsort(kind='stable')
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return ids[order], rank


def _in_one_unit(parts: list[Part], units: set[str]) -> list[Tensor]:
    # Dates are parsed to a unit as fine as those of a part need it.
    finest = max(units, key=UNITS.index)
    return [
        part.time * 1000 ** (UNITS.index(finest) - UNITS.index(part.unit))
        for part in parts
    ]
