r"""Graphs without some of their items or users, renumbered."""

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.utils import scatter

from lgmrec_pyg.graph import INTERACTS, ITEM, LABELS, USER, describes, modalities


def withhold_items(
    data: HeteroData, share: float, generator: torch.Generator
) -> tuple[HeteroData, Tensor, Tensor]:
    r"""Removes some items, with all that is known of them.

    Args:
        data (HeteroData): The graph, which is left as it is.
        share (float): The share of items to remove.
        generator (torch.Generator): Draws them.

    Returns:
        The graph without them, the items, and the pairs of all splits
        :obj:`(user, place in items)` they are part of.
    """
    num_items = data[ITEM].num_nodes
    order = torch.randperm(num_items, generator=generator)
    new, kept = order.tensor_split([max(1, int(share * num_items))])
    new, kept = new.sort().values, kept.sort().values
    out = _relabeled(data, data[USER].num_nodes, places(kept, num_items))
    for name in modalities(data):
        node, item = data[describes(name)].edge_index
        item = places(kept, num_items)[item]
        node, item = node[item >= 0], item[item >= 0]
        used = node.unique()
        out[name].x = data[name].x[used]
        node = places(used, data[name].num_nodes)[node]
        out[describes(name)].edge_index = torch.stack([node, item])
    user, item = _all_pairs(data)
    item = places(new, num_items)[item]
    return out, new, torch.stack([user, item])[:, item >= 0]


def withhold_users(
    data: HeteroData, share: float, generator: torch.Generator
) -> tuple[HeteroData, Tensor]:
    r"""Removes some users with all that is known of them, and gives the last
    numbers to them.

    Args:
        data (HeteroData): The graph, which is left as it is.
        share (float): The share of users to remove.
        generator (torch.Generator): Draws them.

    Returns:
        The graph without them, and the pairs of all splits they are part of.
    """
    num_users = data[USER].num_nodes
    place = torch.randperm(num_users, generator=generator)
    num_kept = num_users - max(1, int(share * num_users))
    user, item = _all_pairs(data)
    pairs = torch.stack([place[user], item])
    place = place.masked_fill(place >= num_kept, -1)
    every = torch.arange(data[ITEM].num_nodes)
    out = _relabeled(data, num_kept, every, place)
    for name in modalities(data):
        out[name].x = data[name].x
        out[describes(name)].edge_index = data[describes(name)].edge_index
    return out, pairs[:, pairs[0] >= num_kept]


def split_histories(pairs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    r"""Splits the items of every user into halves, the first of which has one
    more if their number is odd.

    Args:
        pairs (torch.Tensor): The pairs :obj:`(user, item)`.
        generator (torch.Generator): Shuffles them.
    """
    pairs = pairs[:, torch.randperm(pairs.size(1), generator=generator)]
    pairs = pairs[:, pairs[0].sort(stable=True).indices]
    count = torch.bincount(pairs[0])
    rank = torch.arange(pairs.size(1)) - (count.cumsum(0) - count)[pairs[0]]
    first = 2 * rank < count[pairs[0]]
    return pairs[:, first], pairs[:, ~first]


def item_features(data: HeteroData, items: Tensor) -> dict[str, Tensor]:
    r"""The mean features of items by modality, zero for those without any."""
    out = {}
    for name in modalities(data):
        node, item = data[describes(name)].edge_index
        size = data[ITEM].num_nodes
        x = scatter(data[name].x[node].float(), item, 0, dim_size=size, reduce='mean')
        out[name] = x[items]
    return out


def places(nodes: Tensor, size: int) -> Tensor:
    r"""Maps each node to its place in :obj:`nodes`, and others to -1."""
    out = torch.full((size,), -1)
    out[nodes] = torch.arange(nodes.numel())
    return out


def _relabeled(
    data: HeteroData, num_users: int, item: Tensor, user: Tensor | None = None
) -> HeteroData:
    out = HeteroData()
    out[USER].num_nodes = num_users
    out[ITEM].num_nodes = int(item.max()) + 1
    user = torch.arange(data[USER].num_nodes) if user is None else user
    for name in ('edge_index', *LABELS):
        old = data[INTERACTS][name]
        pairs = torch.stack([user[old[0]], item[old[1]]])
        out[INTERACTS][name] = pairs[:, (pairs >= 0).all(dim=0)].contiguous()
    return out


def _all_pairs(data: HeteroData) -> Tensor:
    return torch.cat([data[INTERACTS][name] for name in ('edge_index', *LABELS)], dim=1)
