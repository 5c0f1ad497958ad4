import copy
import warnings
from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.features.table import FeatureTable, read_feature_tables
from lgmrec_pyg.graph import INTERACTS, ITEM, IdMap, as_ids, describes, reverse

MIN_COVERAGE = 0.1  # Fewer described items are rather a mistake than a catalog.


def add_item_features(data: HeteroData, features: Any) -> HeteroData:
    r"""Adds the features of items to a graph, one node type per modality.

    Features of unknown items are dropped with a warning. Items without features
    get no node. Nodes are in the order of the items.

    Args:
        data (HeteroData): The interaction graph, which is not changed.
        features (Dict[str, Any] or str): The features of each modality: a table
            with the ids of items as its index, a pair of ids and rows, a
            dictionary from ids to rows, or the path of a file or a folder of
            :meth:`save_item_features`. An id that repeats gets several nodes.

    Raises:
        ValueError: If features are malformed, or describe none of the items.
    """
    tables = read_feature_tables(features)
    ids = as_ids(IdMap.of(data, ITEM).ids)
    for modality, table in tables.items():
        tables[modality] = match(modality, table, ids)
    return attach(data, tables)


def match(modality: str, table: FeatureTable, item_ids: np.ndarray) -> FeatureTable:
    r"""Returns features with ids of the type of the items: integers become
    strings where those are, as in a CSV file. Warns of features of unknown items,
    and of few known ones, and raises an error if there is none.

    Args:
        modality (str): The name of the modality.
        table (FeatureTable): The features.
        item_ids (numpy.ndarray): The known ids.
    """
    import pandas as pd

    if item_ids.dtype == object and table.ids.dtype != object:
        table = table._replace(ids=table.ids.astype(str).astype(object))
    if table.ids.dtype != item_ids.dtype:
        raise ValueError(
            f"'features' of '{modality}' need to have ids of the same type as the "
            f'interactions, such as {_some(item_ids, 1)} (got {_some(table.ids, 1)}). '
            f"Convert the ids of the interactions, e.g., by '.astype(str)'"
        )
    known = pd.Index(table.ids).isin(item_ids)
    unknown = pd.unique(table.ids[~known])
    num_known = len(pd.unique(table.ids[known]))
    if 0 < num_known < MIN_COVERAGE * len(item_ids):
        warnings.warn(
            f"'features' of '{modality}' describe {num_known} of {len(item_ids)} items",
            stacklevel=3,
        )
    if len(unknown) == 0:
        return table
    counts = f'{len(unknown)} unknown of {len(pd.unique(table.ids))}'
    if not known.any():
        raise ValueError(
            f"'features' of '{modality}' need to describe items of the interactions, "
            f'such as {_some(item_ids, 3)} (got {counts}, such as '
            f'{_some(table.ids, 3)})'
        )
    warnings.warn(
        f"'features' of '{modality}' hold ids that are not among the items, and are "
        f'dropped (got {counts}, such as {_some(unknown, 3)})',
        stacklevel=3,
    )
    return table


def attach(data: HeteroData, tables: dict[str, FeatureTable]) -> HeteroData:
    r"""Adds features to a graph, as far as its items are described.

    Args:
        data (HeteroData): The interaction graph, which is not changed.
        tables (Dict[str, FeatureTable]): The features of each modality.
    """
    import pandas as pd

    if 'adj_t' in data[INTERACTS] or 'edge_weight' in data[INTERACTS]:
        raise ValueError(
            "'data' needs to be the graph before transforms, which prepared it for "
            "propagation (got one with 'adj_t' or 'edge_weight')"
        )
    data = copy.copy(data)
    items = pd.Index(as_ids(IdMap.of(data, ITEM).ids))
    for modality, (ids, x) in tables.items():
        index = items.get_indexer(ids)
        row = index.argsort(kind='stable')
        row = row[index[row] >= 0]
        if len(row) == 0:
            raise ValueError(
                f"'features' of '{modality}' need to describe items of the graph (got "
                f'only items that were filtered out)'
            )
        for edge_type in (describes(modality), reverse(describes(modality))):
            if edge_type in data.edge_types:
                del data[edge_type]
        data[modality].x = x[torch.from_numpy(row)]
        item = torch.from_numpy(index[row].astype(np.int64))
        edge_index = torch.stack([torch.arange(len(row)), item])
        data[describes(modality)].edge_index = edge_index
    return data


def _some(ids: np.ndarray, count: int) -> str:
    return ', '.join(map(repr, ids[:count].tolist()))
