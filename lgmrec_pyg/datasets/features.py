r"""Features of items by their ids, as modalities of a graph."""

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.feature_tables import FeatureTable, read_feature_tables
from lgmrec_pyg.graph import INTERACTS, ITEM, IdMap, as_ids, describes, reverse

MIN_COVERAGE = 0.1  # Fewer described items are rather a mistake than a catalog.


def add_item_features(
    data: HeteroData, features: Any, item: str | int = 'item_id'
) -> HeteroData:
    r"""Adds the features of items to a graph, one node type per modality.

    Features of unknown items are dropped with a warning. Items without features,
    or with nothing but zeros, by which many files mark what is missing, get no node.
    Nodes are in the order of the items.

    Args:
        data (HeteroData): The interaction graph, which is not changed.
        features (Dict[str, Any] or str): The features of each modality: a table of
            pandas, polars or pyarrow, with one column of ids, or ids as its index,
            and one column of vectors or more of numbers; a pair of ids and rows,
            either of which may be the path of a file; a dictionary from ids to rows;
            or the path of a file (:obj:`.npz` of :meth:`save_item_features`,
            Parquet, CSV, or :obj:`.npy` beside a list of ids). The path of a folder
            stands for all such files in it. An id that repeats gets several nodes.
        item (str or int, optional): The column of ids. If there is none of that name,
            it is :obj:`"item_id"`, :obj:`"id"`, or the first one.
            (default: :obj:`"item_id"`)

    Raises:
        ValueError: If features are malformed, or describe none of the items.
    """
    tables = read_feature_tables(features, item=item)
    ids = as_ids(IdMap.of(data, ITEM).ids)
    return attach_features(data, match_features(tables, ids))


def multi_hot(labels: Sequence[Sequence[str]]) -> tuple[Tensor, list[str]]:
    r"""Encodes sets of labels, such as genres, with one column per label.

    .. code-block:: python

        multi_hot([['Drama'], ['Crime', 'Drama']])
        # (tensor([[0., 1.], [1., 1.]]), ['Crime', 'Drama'])

    Args:
        labels (List[List[str]]): The labels of each row.

    Returns:
        The features, and the labels of the columns in alphabetical order.

    Raises:
        ValueError: If a row is a single string instead of a list of them.
    """
    if any(isinstance(row, str) for row in labels):
        raise ValueError("'labels' needs to hold a list of labels in every row")
    names = sorted({name for row in labels for name in row})
    column = {name: i for i, name in enumerate(names)}
    x = torch.zeros(len(labels), len(names))
    for i, row in enumerate(labels):
        x[i, [column[name] for name in row]] = 1.0
    return x, names


def match_features(
    tables: dict[str, FeatureTable], item_ids: np.ndarray
) -> dict[str, FeatureTable]:
    r"""Returns features with ids of the type of the items. Warns of unknown items,
    and of few known ones, and raises an error if there is none.
    """
    out = {}
    for modality, (ids, x) in tables.items():
        name = f"'features' of '{modality}'"
        ids = like_items(ids, item_ids, name)
        out[modality] = FeatureTable(ids, x)
        distinct = pd.unique(ids)
        known = pd.Index(distinct).isin(item_ids)
        got = f'{known.sum()} of {len(item_ids)} items'
        if not known.all():
            unknown = distinct[~known]
            got += f', and {len(unknown)} unknown ones such as {_some(unknown)}'
        if not known.any():
            raise ValueError(
                f'{name} need to describe items such as {_some(item_ids)} (got {got})'
            )
        if not known.all() or known.sum() < MIN_COVERAGE * len(item_ids):
            warnings.warn(f'{name} describe {got}', stacklevel=3)
    return out


def like_items(ids: np.ndarray, item_ids: np.ndarray, name: str) -> np.ndarray:
    r"""Returns ids of the type of those of the items: strings, as in a CSV file."""
    if item_ids.dtype == object and ids.dtype != object:
        return ids.astype(str).astype(object)
    if len(ids) > 0 and ids.dtype != item_ids.dtype:
        raise ValueError(
            f'{name} need to have ids of the same type as the interactions, such as '
            f'{_some(item_ids)} (got {_some(ids)})'
        )
    return ids.astype(item_ids.dtype)


def attach_features(data: HeteroData, tables: dict[str, FeatureTable]) -> HeteroData:
    r"""Adds features to a graph, as far as its items are described."""
    if 'adj_t' in data[INTERACTS] or 'edge_weight' in data[INTERACTS]:
        raise ValueError("'data' needs to be the graph before transforms")
    data = copy.copy(data)
    items = pd.Index(as_ids(IdMap.of(data, ITEM).ids))
    for modality, (ids, x) in tables.items():
        item = torch.from_numpy(items.get_indexer(ids).astype(np.int64))
        item, row = item.sort(stable=True)
        known = (item >= 0) & (x[row] != 0).any(dim=1)
        item, row = item[known], row[known]
        if item.numel() == 0:
            raise ValueError(
                f"'features' of '{modality}' describe only dropped items, or are zero"
            )
        for edge_type in (describes(modality), reverse(describes(modality))):
            if edge_type in data.edge_types:
                del data[edge_type]
        data[modality].x = x[row]
        edge_index = torch.stack([torch.arange(item.numel()), item])
        data[describes(modality)].edge_index = edge_index
    return data


def _some(ids: np.ndarray) -> str:
    return ', '.join(map(repr, ids[:3].tolist()))
