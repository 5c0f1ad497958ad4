from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import ITEM, model_inputs, training_pairs
from lgmrec_pyg.nn import LGMRec


class Hyperedge(NamedTuple):
    r"""What a hyperedge of a trained model holds.

    Args:
        modality (str): The modality that defines it.
        number (int): Its number among those of the modality.
        user_share (float): The share of all user memberships that are in it.
        item_share (float): The share of all item memberships that are in it.
        items (List[int]): The items of the strongest membership, and among equal ones
            those of most training pairs.
        memberships (List[float]): Their memberships.
    """

    modality: str
    number: int
    user_share: float
    item_share: float
    items: list[int]
    memberships: list[float]


@torch.no_grad()
def describe_hyperedges(model: Any, data: HeteroData, k: int = 8) -> list[Hyperedge]:
    r"""Returns what the hyperedges of a trained :class:`~lgmrec_pyg.nn.LGMRec` hold,
    or none if the model has no hyperedges.

    Args:
        model (torch.nn.Module): The model, in evaluation mode.
        data (HeteroData): The graph the way the model gets it.
        k (int, optional): The number of items of each hyperedge.
            (default: :obj:`8`)
    """
    if not isinstance(model, LGMRec) or 'hypergraph' not in model.parts:
        return []
    x_dict, graph = model_inputs(data)
    degree = torch.bincount(training_pairs(data)[1], minlength=data[ITEM].num_nodes)
    out = []
    for name, encoder in model.encoder.items():
        modality = graph.modality[name]
        content = encoder(x_dict[name], modality, graph.interactions)
        member = model.hypergraph.membership
        user = member(content.user_logits).float()
        item = member(content.item_logits).float() * modality.described
        user_share, item_share = user.mean(0), item.sum(0) / item.sum()
        for j in range(user.size(1)):
            top = strongest(item[:, j], degree, k)
            out.append(
                Hyperedge(
                    name,
                    j,
                    float(user_share[j]),
                    float(item_share[j]),
                    top.tolist(),
                    item[top, j].tolist(),
                )
            )
    return out


def strongest(membership: Tensor, degree: Tensor, k: int) -> Tensor:
    r"""Returns the items of the strongest membership. Softmax saturates, so those
    that are equal to three digits are ordered by degree.

    Args:
        membership (torch.Tensor): The membership of every item.
        degree (torch.Tensor): The number of training pairs of every item.
        k (int): The number of items.
    """
    by_degree = degree.argsort(descending=True, stable=True)
    rounded = membership[by_degree].mul(1000).round()
    order = by_degree[rounded.argsort(descending=True, stable=True)][:k]
    return order[membership[order] > 0]
