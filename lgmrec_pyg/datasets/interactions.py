r"""Any interactions to a graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.feature_tables import read_feature_tables
from lgmrec_pyg.datasets.features import (
    add_item_features,
    attach_features,
    like_items,
    match_features,
    multi_hot,
)
from lgmrec_pyg.datasets.splits import (
    SPLITS,
    TEST,
    TRAIN,
    VAL,
    check_ratios,
    leave_one_out_split,
    random_split,
    time_split,
)
from lgmrec_pyg.datasets.splits import k_core as k_core_of
from lgmrec_pyg.datasets.tables import InteractionTable, read_interaction_table
from lgmrec_pyg.encoders import encode
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    IdMap,
    Ids,
    as_ids,
    set_ids,
    validate_graph,
)


def graph_from_interactions(
    interactions: Any,
    features: Any = None,
    *,
    user: str = 'user_id',
    item: str = 'item_id',
    rating: str | None = None,
    timestamp: str | None = None,
    min_rating: float | None = None,
    weight: str | bool = False,
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

    First, ratings below :obj:`min_rating` are dropped. Interactions of the same
    user and item are then merged into the earliest one. Of these, the
    :math:`k`-core is taken, see :meth:`~lgmrec_pyg.datasets.k_core`, which is
    split into training, validation and test:

    * :obj:`"random"`: by :meth:`~lgmrec_pyg.datasets.random_split`.
    * :obj:`"leave_one_out"`: by :meth:`~lgmrec_pyg.datasets.leave_one_out_split`.
    * :obj:`"time"`: by :meth:`~lgmrec_pyg.datasets.time_split`.

    Every user has a training pair. Users and items are sorted by their ids, and
    the graph does not depend on the order of the rows.

    Args:
        interactions (pandas.DataFrame or str or torch.Tensor): The
            interactions, one per row: a table, the path of a Parquet file
            (:obj:`.parquet`) or of a text, compressed or not, whose fields are
            separated by commas, tabs, semicolons or bars, or an
            :obj:`edge_index`, whose indices become the ids. Ids in texts are
            strings.
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
        weight (str or bool, optional): How much a pair counts: the sum of this
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
    if split not in SPLITS or (split == 'time' and timestamp is None):
        needed = f"'split' needs to be one of {SPLITS}, where 'time' needs 'timestamp'"
        raise ValueError(f'{needed} (got {split!r})')
    if (rating is None) != (min_rating is None):
        got = f'got {rating!r} and {min_rating!r}'
        raise ValueError(f"'rating' and 'min_rating' need to be given together ({got})")
    check_ratios(val_ratio, test_ratio)
    indexed = isinstance(interactions, (Tensor, np.ndarray))
    tables = {} if features is None else read_feature_tables(features, indexed)
    column = weight if isinstance(weight, str) else None
    table = read_interaction_table(interactions, user, item, rating, timestamp, column)
    if weight is True:
        table = table._replace(weight=torch.ones(table.edge_index.size(1)))
    new_ids = as_ids([] if catalog is None else catalog, 'catalog')
    new_ids = like_items(new_ids, table.item_ids, "'catalog'")
    tables = match_features(tables, np.union1d(table.item_ids, new_ids))

    if table.rating is not None and min_rating is not None:
        table = table.select(table.rating >= min_rating)
        _check_left('min_rating', min_rating, table)
    table = _merge_repeated(table)
    table = table.select(k_core_of(table.edge_index, k_core))
    _check_left('k_core', k_core, table)
    pairs, time = table.edge_index, table.time
    if split == 'random':
        label = random_split(pairs, val_ratio, test_ratio, seed)
    elif split == 'leave_one_out' or time is None:
        label = leave_one_out_split(pairs, time, seed)
    else:
        label = time_split(pairs, time, val_ratio, test_ratio)
    _check_left('split', split, table.select(label == TRAIN))
    data = attach_features(_assemble(table, label, new_ids), tables)
    validate_graph(data)
    return data


def graph_of_described_items(
    ratings: pd.DataFrame,
    texts: Mapping[Any, str],
    labels: Mapping[Any, Sequence[str]],
    modality: str,
    encoder: Callable[[list[str]], Any] | None,
    all_items: bool,
    cache: str | None,
    **kwargs: Any,
) -> HeteroData:
    r"""Builds the graph of rated items with texts, which become the modality
    :obj:`"text"`, and with labels, which become another one. The columns of ratings
    are users, items, ratings and timestamps.
    """
    user, item, rating, timestamp = ratings.columns
    data = graph_from_interactions(
        ratings,
        user=user,
        item=item,
        rating=None if kwargs.get('min_rating') is None else rating,
        timestamp=timestamp,
        catalog=list(texts) if all_items else None,
        **kwargs,
    )
    ids = IdMap.of(data, ITEM).ids
    found = {id_: texts[id_] for id_ in ids if texts.get(id_)}
    if encoder is not None and found:
        x = encode(found, encoder, cache=cache)
        rows = x.isfinite().all(dim=1)  # All but of texts that could not be encoded.
        known = [id_ for id_, is_known in zip(found, rows, strict=True) if is_known]
        data = add_item_features(data, {'text': (known, x[rows])})
    labelled = {id_: labels[id_] for id_ in ids if labels.get(id_)}
    if labelled:
        x, _ = multi_hot(list(labelled.values()))
        data = add_item_features(data, {modality: (list(labelled), x)})
    return data


def _merge_repeated(table: InteractionTable) -> InteractionTable:
    first = (table.edge_index.diff(dim=1) != 0).any(dim=0)
    first = torch.cat([first.new_ones(1), first]).nonzero().flatten()
    out = table.select(first)
    if table.time is not None:
        time = np.minimum.reduceat(table.time.numpy(), first.numpy())
        out = out._replace(time=torch.from_numpy(time))
    if table.weight is not None:
        weight = np.add.reduceat(table.weight.numpy(), first.numpy())
        out = out._replace(weight=torch.from_numpy(weight))
    return out


def _check_left(name: str, value: Any, table: InteractionTable) -> None:
    if table.edge_index.size(1) == 0:
        raise ValueError(
            f"'{name}' needs to leave interactions (got {value}, which leaves none of "
            f'{len(table.user_ids)} users and {len(table.item_ids)} items)'
        )


def _assemble(
    table: InteractionTable, label: Tensor, new_ids: np.ndarray
) -> HeteroData:
    table, label = table.select(label >= 0), label[label >= 0]
    pairs = table.edge_index
    users, user = pairs[0].unique(return_inverse=True)
    user_ids, ids = table.user_ids[users.numpy()], table.item_ids[pairs[1].numpy()]
    item_ids, item = np.unique(np.append(new_ids, ids), return_inverse=True)
    pairs = torch.stack([user, torch.from_numpy(item[len(new_ids) :])])
    data = HeteroData()
    for node_type, ids in ((USER, user_ids), (ITEM, item_ids)):
        data[node_type].num_nodes = len(ids)
        set_ids(data, node_type, ids)
    data[INTERACTS].edge_index = pairs[:, label == TRAIN]
    if table.weight is not None:
        data[INTERACTS].confidence = table.weight[label == TRAIN].float()
    data[INTERACTS].val_edge_label_index = pairs[:, label == VAL]
    data[INTERACTS].test_edge_label_index = pairs[:, label == TEST]
    return data
