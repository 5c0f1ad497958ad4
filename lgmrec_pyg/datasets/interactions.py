r"""Any interactions to a graph."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.assemble import assemble, warn_unseen
from lgmrec_pyg.datasets.feature_tables import read_feature_tables
from lgmrec_pyg.datasets.features import (
    attach_features,
    like_items,
    match_features,
)
from lgmrec_pyg.datasets.frames import is_matrix
from lgmrec_pyg.datasets.splits import (
    SPLITS,
    TRAIN,
    check_ratios,
    leave_one_out_split,
    random_split,
    time_split,
)
from lgmrec_pyg.datasets.splits import k_core as k_core_of
from lgmrec_pyg.datasets.streaming import is_large, stream_table
from lgmrec_pyg.datasets.tables import (
    InteractionTable,
    columns_of,
    join_splits,
    merge_repeated,
    read_interaction_table,
    warn_alike,
)
from lgmrec_pyg.datasets.times import to_moment
from lgmrec_pyg.graph import (
    Ids,
    as_ids,
    validate_graph,
)


def graph_from_interactions(
    interactions: Any,
    features: Any = None,
    *,
    user: str | int = 'user_id',
    item: str | int = 'item_id',
    rating: str | int | None = None,
    timestamp: str | int | None = None,
    min_rating: float | None = None,
    weight: str | int | bool = False,
    k_core: int = 1,
    split: str = 'random',
    val_ratio: float = 0.1,
    test_ratio: float = 0.1,
    split_at: tuple[Any, Any] | None = None,
    seed: int = 0,
    val: Any = None,
    test: Any = None,
    catalog: Ids | None = None,
    separator: str | None = None,
    date_format: str | None = None,
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

    First, ratings below :obj:`min_rating` are dropped. Interactions of the same
    user and item are then merged into the earliest one. Of these, the
    :math:`k`-core is taken, see :meth:`~lgmrec_pyg.datasets.k_core`, which is
    split into training, validation and test:

    * :obj:`"random"`: by :meth:`~lgmrec_pyg.datasets.random_split`.
    * :obj:`"leave_one_out"`: by :meth:`~lgmrec_pyg.datasets.leave_one_out_split`.
    * :obj:`"time"`: by :meth:`~lgmrec_pyg.datasets.time_split`, at two dates if
      :obj:`split_at` has them.

    Every user has a training pair. Your own :obj:`val` and :obj:`test` are kept as
    they are instead, but for pairs of several splits, which stay in the first one.
    Users and items are sorted by their ids, and the graph does not depend on the
    order of the rows.

    Args:
        interactions (Any): The interactions, one per row: a table of pandas, polars
            or pyarrow, the path or address of a file, which is Parquet, JSON lines
            or a text with separated fields, compressed or not, a folder or a list of
            such files, a list of pairs, a sparse matrix of users and items, or an
            :obj:`edge_index`. Indices of the last two become ids. Ids in texts are
            strings. Folders, lists of files, and files of 256 MiB and more may be
            larger than memory: they are read part by part, with the same result.
        features (Dict[str, Any] or str, optional): The features of items in each
            modality, see :meth:`~lgmrec_pyg.datasets.add_item_features`. Those of
            items that were filtered out are dropped. Beside a matrix or an
            :obj:`edge_index`, a tensor with one row per item index does as well.
            (default: :obj:`None`)
        user (str or int, optional): The column of user ids, which are strings or
            integers, or its position from 0 in a file without a header.
            (default: :obj:`"user_id"`)
        item (str or int, optional): The column of item ids.
            (default: :obj:`"item_id"`)
        rating (str or int, optional): The column of ratings, for
            :obj:`min_rating`. (default: :obj:`None`)
        timestamp (str or int, optional): The column of timestamps, which are numbers
            or dates; they matter to the splits :obj:`"time"` and
            :obj:`"leave_one_out"`. (default: :obj:`None`)
        min_rating (float, optional): The least rating of an interaction to
            count. If :obj:`None`, all count. (default: :obj:`None`)
        weight (str or int or bool, optional): How much a pair counts: the sum of this
            column over its interactions, or, if set to :obj:`True`, their number.
            It becomes :obj:`data['user', 'interacts', 'item'].confidence`, by which
            propagation weights the pair, see
            :class:`~lgmrec_pyg.transforms.DegreeNorm`; in losses, splits and metrics,
            every pair counts once. Take logarithms of counts with a long tail before.
            (default: :obj:`False`)
        k_core (int, optional): The number of interactions that every user and
            every item has at least. (default: :obj:`1`)
        split (str, optional): How to split the interactions
            (:obj:`"random"`, :obj:`"leave_one_out"`, :obj:`"time"`).
            (default: :obj:`"random"`)
        val_ratio (float, optional): The share of pairs for validation. If one is
            left out, any share but 0 does. (default: :obj:`0.1`)
        test_ratio (float, optional): The share of pairs for test, likewise.
            (default: :obj:`0.1`)
        split_at (Tuple[Any, Any], optional): When validation and test begin, as dates
            or as numbers like the timestamps. (default: :obj:`None`)
        seed (int, optional): The seed of random splits. (default: :obj:`0`)
        val (Any, optional): Your own interactions for validation, in the forms of
            :obj:`interactions`, all of which are for training then.
            (default: :obj:`None`)
        test (Any, optional): Those for test. (default: :obj:`None`)
        catalog (Sequence, optional): The ids of items to have nodes even if no
            interactions of them are left, such as new ones. (default: :obj:`None`)
        separator (str, optional): What separates the fields of a text. If
            :obj:`None`, it is found in the header. (default: :obj:`None`)
        date_format (str, optional): The format of dates, as in
            :meth:`~datetime.datetime.strptime`. If :obj:`None`, they are in ISO 8601
            or in one of those that can be read in one way only.
            (default: :obj:`None`)

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If a Parquet file needs :obj:`pyarrow`.
        ValueError: If an argument or a file is malformed, naming the column and
            the row or line, or if no interaction is left, naming the filter.
    """
    if split not in SPLITS or (split == 'time' and timestamp is None):
        needed = f"'split' needs to be one of {SPLITS}, where 'time' needs 'timestamp'"
        raise ValueError(f'{needed} (got {split!r})')
    if split_at is not None and (split != 'time' or np.shape(split_at) != (2,)):
        needed = "'split_at' needs to hold two times, for the split 'time'"
        raise ValueError(f'{needed} (got {split_at!r} and {split!r})')
    if (rating is None) != (min_rating is None):
        got = f'got {rating!r} and {min_rating!r}'
        raise ValueError(f"'rating' and 'min_rating' need to be given together ({got})")
    if split != 'random' and not (val is None and test is None):
        raise ValueError(f"'val' and 'test' need no other 'split' (got {split!r})")
    check_ratios(val_ratio, test_ratio)
    tables = {}
    if features is not None:
        tables = read_feature_tables(features, is_matrix(interactions), item)
    summed = None if isinstance(weight, bool) else weight
    columns = columns_of(user, item, rating, timestamp, summed)
    sources = {'interactions': interactions, 'val': val, 'test': test}
    options = columns, separator, date_format
    parts = {
        label: stream_table(source, *options)
        if is_large(source)
        else read_interaction_table(source, *options, name)
        for label, (name, source) in enumerate(sources.items())
        if source is not None
    }
    table = parts[TRAIN] if len(parts) == 1 else join_splits(parts)
    del parts  # Of large files, every copy of the pairs counts.
    warn_alike(table.user_ids, user)
    warn_alike(table.item_ids, item)
    if weight is True:
        table = table._replace(weight=torch.ones(table.edge_index.size(1)))
    new_ids = as_ids([] if catalog is None else catalog, 'catalog')
    new_ids = like_items(new_ids, table.item_ids, "'catalog'")
    tables = match_features(tables, np.union1d(table.item_ids, new_ids))

    if table.rating is not None and min_rating is not None:
        table = table.select(table.rating >= min_rating)
        _check_left('min_rating', min_rating, table)
    table = merge_repeated(table)
    table = table.select(k_core_of(table.edge_index, k_core))
    _check_left('k_core', k_core, table)
    pairs, time = table.edge_index, table.time
    if table.label is not None:
        label = table.label
    elif split == 'random':
        label = random_split(pairs, val_ratio, test_ratio, seed)
    elif split == 'leave_one_out' or time is None:
        nums = int(val_ratio > 0), int(test_ratio > 0)
        label = leave_one_out_split(pairs, time, seed, *nums)
    else:
        begins = None
        if split_at is not None:
            first, last = split_at
            begins = to_moment(first, time), to_moment(last, time)
        label = time_split(pairs, time, val_ratio, test_ratio, begins)
    _check_left('split', split, table.select(label == TRAIN))
    data = attach_features(assemble(table, label, new_ids), tables)
    validate_graph(data)
    if table.label is not None:
        warn_unseen('The graph', data)
    return data


def _check_left(name: str, value: Any, table: InteractionTable) -> None:
    if table.edge_index.size(1) == 0:
        raise ValueError(
            f"'{name}' needs to leave interactions (got {value}, which leaves none of "
            f'{len(table.user_ids)} users and {len(table.item_ids)} items)'
        )
