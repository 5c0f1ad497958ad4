import warnings
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features.item_features import attach, match
from lgmrec_pyg.datasets.features.table import read_feature_tables
from lgmrec_pyg.datasets.interactions.filters import (
    drop_low_ratings,
    merge_repeated,
    take_core,
)
from lgmrec_pyg.datasets.interactions.splits import (
    TEST,
    TRAIN,
    VAL,
    check_ratios,
    check_seed,
    leave_one_out_split,
    random_split,
    time_split,
)
from lgmrec_pyg.datasets.interactions.table import (
    InteractionTable,
    read_interaction_table,
)
from lgmrec_pyg.evaluation.positive import positive_integer
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, Ids, as_ids, validate_graph

SPLITS = ('random', 'leave_one_out', 'time')


def graph_from_interactions(
    interactions: Any,
    features: Any = None,
    *,
    user: str = 'user_id',
    item: str = 'item_id',
    rating: str | None = None,
    timestamp: str | None = None,
    min_rating: float | None = None,
    k_core: int = 1,
    split: str = 'random',
    val_ratio: float = 0.1,
    test_ratio: float = 0.1,
    seed: int = 0,
    catalog: Ids | None = None,
) -> HeteroData:
    r"""Builds the multimodal interaction graph of any interactions.

    .. code-block:: python

        data = graph_from_interactions(
            'clicks.csv',
            {'image': (ids, x)},
            timestamp='time',
            k_core=5,
            split='leave_one_out',
        )
        data['item'].ids[:2]  # ['B00A1', 'B00B2']

    First, ratings below :obj:`min_rating` are dropped. Interactions of the same
    user and item are then merged into the earliest one. Of these, the
    :math:`k`-core is taken, see :meth:`~lgmrec_pyg.datasets.k_core`, which is
    split into training, validation and test:

    * :obj:`"random"`: a random part of the pairs of every user, see
      :meth:`~lgmrec_pyg.datasets.random_split`.
    * :obj:`"leave_one_out"`: the last pair of every user for test and the one
      before for validation, or random ones without :obj:`timestamp`, see
      :meth:`~lgmrec_pyg.datasets.leave_one_out_split`.
    * :obj:`"time"`: the latest pairs of all users. Those of users and items
      without a training pair are dropped, with a warning, see
      :meth:`~lgmrec_pyg.datasets.time_split`.

    Every user has a training pair. Users and items are sorted by their ids, and
    the graph does not depend on the order of the rows.

    Args:
        interactions (pandas.DataFrame or str or torch.Tensor): The
            interactions, one per row: a table, the path of a CSV (:obj:`.csv`,
            separated by commas), TSV (:obj:`.tsv`, separated by tabs) or
            Parquet (:obj:`.parquet`) file, compressed or not, or an
            :obj:`edge_index`, whose indices become the ids. Ids in CSV and TSV
            files are strings.
        features (Dict[str, Any] or str, optional): The features of items in each
            modality, see :meth:`~lgmrec_pyg.datasets.add_item_features`. Those of
            items that were filtered out are dropped. Given an
            :obj:`edge_index`, a tensor with one row per item index does as well.
            (default: :obj:`None`)
        user (str, optional): The column of user ids, which are strings or
            integers. (default: :obj:`"user_id"`)
        item (str, optional): The column of item ids, which are strings or
            integers. (default: :obj:`"item_id"`)
        rating (str, optional): The column of ratings, for :obj:`min_rating`.
            (default: :obj:`None`)
        timestamp (str, optional): The column of timestamps, which are numbers or
            ISO 8601 dates; they matter to the splits :obj:`"time"` and
            :obj:`"leave_one_out"`. (default: :obj:`None`)
        min_rating (float, optional): The least rating of an interaction to
            count. If :obj:`None`, all count. (default: :obj:`None`)
        k_core (int, optional): The number of interactions that every user and
            every item has at least. (default: :obj:`1`)
        split (str, optional): How to split the interactions
            (:obj:`"random"`, :obj:`"leave_one_out"`, :obj:`"time"`).
            (default: :obj:`"random"`)
        val_ratio (float, optional): The share of pairs for validation, unless
            one is left out. (default: :obj:`0.1`)
        test_ratio (float, optional): The share of pairs for test, unless one is
            left out. (default: :obj:`0.1`)
        seed (int, optional): The seed of random splits. (default: :obj:`0`)
        catalog (Sequence, optional): The ids of items to have nodes even if no
            interactions of them are left, such as new ones. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If a Parquet file needs :obj:`pyarrow`.
        ValueError: If an argument or a file is malformed, naming the column and
            the row or line, or if no interaction is left, naming the filter.
    """
    _check_arguments(split, rating, timestamp, min_rating)
    check_ratios(val_ratio, test_ratio)
    check_seed(seed)
    k_core = positive_integer('k_core', k_core)
    indexed = isinstance(interactions, (Tensor, np.ndarray))
    tables = {} if features is None else read_feature_tables(features, indexed)
    table = read_interaction_table(interactions, user, item, rating, timestamp)
    catalog_ids = _catalog_ids(catalog, table.item_ids)
    known_ids = np.union1d(table.item_ids, catalog_ids)
    for modality, rows in tables.items():
        tables[modality] = match(modality, rows, known_ids)

    table = drop_low_ratings(table, min_rating)
    table = take_core(merge_repeated(table), k_core)
    pairs, time = table.edge_index, table.time
    if split == 'random':
        label = random_split(pairs, val_ratio, test_ratio, seed)
    elif split == 'leave_one_out':
        label = leave_one_out_split(pairs, time, seed)
    else:
        assert time is not None
        label = time_split(pairs, time, val_ratio, test_ratio)
        _check_time_split(pairs, label)

    data = attach(_assemble(table, label, catalog_ids), tables)
    validate_graph(data)
    return data


def _check_arguments(
    split: str, rating: str | None, timestamp: str | None, min_rating: float | None
) -> None:
    if split not in SPLITS:
        raise ValueError(f"'split' needs to be one of {SPLITS} (got {split!r})")
    if split == 'time' and timestamp is None:
        raise ValueError(
            "'timestamp' needs to name a column for 'split' to be 'time' (got None)"
        )
    if not isinstance(min_rating, (Real, type(None))):
        raise ValueError(f"'min_rating' needs to be a number (got {min_rating!r})")
    if min_rating is not None and rating is None:
        raise ValueError("'rating' needs to name a column for 'min_rating' (got None)")
    if rating is not None and min_rating is None:
        raise ValueError(
            f"'min_rating' needs to say which ratings count as interactions, or "
            f"'rating' to be left out (got None for the column {rating!r})"
        )


def _catalog_ids(catalog: Ids | None, item_ids: np.ndarray) -> np.ndarray:
    if catalog is None or len(catalog) == 0:
        return item_ids[:0]
    ids = as_ids(catalog, 'catalog')
    if ids.dtype != item_ids.dtype:
        raise ValueError(
            f"'catalog' needs to hold ids of the same type as the interactions, such "
            f'as {item_ids[:1].tolist()[0]!r} (got {ids[:1].tolist()[0]!r})'
        )
    return ids


def _check_time_split(pairs: Tensor, label: Tensor) -> None:
    if not (label == TRAIN).any():
        raise ValueError(
            "'split' by time needs to leave training pairs (got none: too many "
            'interactions happened at the earliest time)'
        )
    num_dropped = int((label < 0).sum())
    if num_dropped > 0:
        counts = []
        for row, node_type in zip(pairs, (USER, ITEM), strict=True):
            num_nodes, num_left = (x.unique().numel() for x in (row, row[label >= 0]))
            counts.append(f'{num_nodes - num_left} of {num_nodes} {node_type}s')
        warnings.warn(
            f"'split' by time drops {num_dropped} of "
            f'{num_dropped + int((label > 0).sum())} pairs for validation and test, '
            f'whose user or item has no training pair, and with them '
            f'{" and ".join(counts)}',
            stacklevel=3,
        )


def _assemble(
    table: InteractionTable, label: Tensor, catalog_ids: np.ndarray
) -> HeteroData:
    import pandas as pd

    user, item = table.edge_index[:, label >= 0].numpy()
    user_ids = table.user_ids[np.unique(user)]
    item_ids = np.union1d(table.item_ids[np.unique(item)], catalog_ids)
    rows = [
        pd.Index(ids).get_indexer(all_ids)[row.numpy()]
        for ids, all_ids, row in zip(
            (user_ids, item_ids),
            (table.user_ids, table.item_ids),
            table.edge_index,
            strict=True,
        )
    ]
    pairs = torch.from_numpy(np.stack(rows).astype(np.int64))
    data = HeteroData()
    data[USER].num_nodes, data[USER].ids = len(user_ids), user_ids.tolist()
    data[ITEM].num_nodes, data[ITEM].ids = len(item_ids), item_ids.tolist()
    data[INTERACTS].edge_index = pairs[:, label == TRAIN]
    data[INTERACTS].val_edge_label_index = pairs[:, label == VAL]
    data[INTERACTS].test_edge_label_index = pairs[:, label == TEST]
    return data
