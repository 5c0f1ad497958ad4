r"""Damage to the training graph, by the name of what is damaged."""

import copy
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch_geometric.data import HeteroData
from torch_geometric.utils import degree

from lgmrec_pyg.graph import INTERACTS, ITEM, LABELS, USER, describes, modalities

Corruption = Callable[[HeteroData, str, Generator], HeteroData]


def missing_features(data: HeteroData, level: str, rng: Generator) -> HeteroData:
    r"""A share of items loses its features in all modalities."""
    lost = _draw_items(data, float(level), rng)
    for name in modalities(data):
        edge_index = data[describes(name)].edge_index
        edge_index = edge_index[:, ~lost[edge_index[1]]]
        kept, number = edge_index[0].unique(return_inverse=True)
        data[name].x = data[name].x[kept]
        data[describes(name)].edge_index = torch.stack([number, edge_index[1]])
    return data


def random_modality(data: HeteroData, level: str, rng: Generator) -> HeteroData:
    r"""The features of one modality, or of all, become Gaussian noise of the same
    mean and standard deviation.
    """
    for name in modalities(data) if level == 'all' else [level]:
        x = data[name].x
        noise = torch.randn(x.size(), generator=rng, dtype=x.dtype)
        data[name].x = noise * x.std() + x.mean()
    return data


def noise_edges(data: HeteroData, level: str, rng: Generator) -> HeteroData:
    r"""Random training pairs are added, as a share of those there are; never
    pairs that are withheld.
    """
    store = data[INTERACTS]
    known = torch.cat([store.edge_index, *(store[name] for name in LABELS)], dim=1)
    num_items = int(data[ITEM].num_nodes)
    taken = known[0] * num_items + known[1]
    total = round(float(level) * store.edge_index.size(1))
    new = taken.new_empty(0)
    while new.numel() < total:
        size = (2 * (total - new.numel()),)
        draw = torch.randint(
            int(data[USER].num_nodes) * num_items, size, generator=rng
        ).unique()
        draw = draw[~torch.isin(draw, torch.cat([taken, new]))]
        perm = torch.randperm(draw.numel(), generator=rng)
        new = torch.cat([new, draw[perm]])[:total]
    pairs = torch.stack([new // num_items, new % num_items])
    store.edge_index = torch.cat([store.edge_index, pairs], dim=1)
    return data


def dropped_edges(data: HeteroData, level: str, rng: Generator) -> HeteroData:
    r"""A share of training pairs is left out; every user keeps one at least."""
    user, item = data[INTERACTS].edge_index
    order = torch.randperm(user.numel(), generator=rng)
    keep = torch.zeros(user.numel(), dtype=torch.bool)
    # The last write to a user wins: any pair serves.
    last = torch.full((int(data[USER].num_nodes),), -1)
    last[user[order]] = order
    keep[last[last >= 0]] = True
    rest = order[~keep[order]]
    wanted = user.numel() - round(float(level) * user.numel())
    keep[rest[: max(0, wanted - int(keep.sum()))]] = True
    data[INTERACTS].edge_index = torch.stack([user[keep], item[keep]])
    return data


def cold_items(data: HeteroData, level: str, rng: Generator) -> HeteroData:
    r"""A share of items loses all training pairs; all their pairs become
    :obj:`cold_edge_label_index`.
    """
    cold = _draw_items(data, float(level), rng)
    store = data[INTERACTS]
    pairs = torch.cat([store.edge_index, *(store[name] for name in LABELS)], dim=1)
    store.cold_edge_label_index = pairs[:, cold[pairs[1]]]
    store.edge_index = store.edge_index[:, ~cold[store.edge_index[1]]]
    data[ITEM].cold = cold
    return data


def trained_items(data: HeteroData, level: str, rng: Generator) -> HeteroData:
    r"""The same share of items keeps its training pairs, and is marked only, to tell
    what :func:`cold_items` costs; its test pairs become :obj:`cold_edge_label_index`.
    """
    cold = _draw_items(data, float(level), rng)
    pairs = data[INTERACTS].test_edge_label_index
    data[INTERACTS].cold_edge_label_index = pairs[:, cold[pairs[1]]]
    data[ITEM].cold = cold
    return data


CORRUPTIONS: dict[str, Corruption] = {
    'missing features': missing_features,
    'random modality': random_modality,
    'noise edges': noise_edges,
    'dropped edges': dropped_edges,
    'cold items': cold_items,
    'trained items': trained_items,
}


def corrupt(data: HeteroData, name: str, level: str, seed: int) -> HeteroData:
    r"""A damaged copy of a graph."""
    if name not in CORRUPTIONS:
        return data
    rng = Generator().manual_seed(seed)
    return CORRUPTIONS[name](copy.copy(data), level, rng)


def _draw_items(data: HeteroData, share: float, rng: Generator) -> Tensor:
    # Items that somebody interacted with: others would count for nothing.
    num_items = int(data[ITEM].num_nodes)
    known = (degree(data[INTERACTS].edge_index[1], num_items) > 0).nonzero().flatten()
    perm = torch.randperm(known.numel(), generator=rng)
    drawn = torch.zeros(num_items, dtype=torch.bool)
    drawn[known[perm[: round(share * known.numel())]]] = True
    return drawn
