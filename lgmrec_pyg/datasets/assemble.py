r"""A table of labelled interactions to a graph."""

import warnings

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.splits import TEST, TRAIN, VAL
from lgmrec_pyg.datasets.tables import InteractionTable
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, set_ids


def assemble(table: InteractionTable, label: Tensor, new_ids: np.ndarray) -> HeteroData:
    r"""Returns the graph of interactions, whose nodes are the users and items of them
    and new items.
    """
    table, label = table.select(label >= 0), label[label >= 0]
    users, user = _compact(table.edge_index[0])
    items, item = _compact(table.edge_index[1])
    user_ids, ids = table.user_ids[users.numpy()], table.item_ids[items.numpy()]
    item_ids = np.union1d(new_ids, ids) if len(new_ids) > 0 else ids
    if len(item_ids) > len(ids):
        item = torch.from_numpy(np.searchsorted(item_ids, ids))[item]

    def select(value: int) -> Tensor:
        return torch.stack([user[label == value], item[label == value]])

    data = HeteroData()
    for node_type, ids in ((USER, user_ids), (ITEM, item_ids)):
        data[node_type].num_nodes = len(ids)
        set_ids(data, node_type, ids)
    data[INTERACTS].edge_index = select(TRAIN)
    if table.weight is not None:
        data[INTERACTS].confidence = table.weight[label == TRAIN].float()
    data[INTERACTS].val_edge_label_index = select(VAL)
    data[INTERACTS].test_edge_label_index = select(TEST)
    return data


def _compact(index: Tensor) -> tuple[Tensor, Tensor]:
    used = index.bincount() > 0
    if bool(used.all()):
        return torch.arange(used.numel()), index
    return used.nonzero().flatten(), (used.cumsum(0) - 1)[index]


def warn_unseen(name: str, data: HeteroData) -> None:
    r"""Warns of users and items of a graph that training does not see."""
    seen = [row.unique().numel() for row in data[INTERACTS].edge_index]
    num_users, num_items = (
        data[USER].num_nodes - seen[0],
        data[ITEM].num_nodes - seen[1],
    )
    if num_users > 0 or num_items > 0:
        warnings.warn(
            f'{name} has {num_users} users and {num_items} items without a '
            f'training pair, which are kept',
            stacklevel=2,
        )
