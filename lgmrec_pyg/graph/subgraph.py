r"""Parts of a graph, as neighbor samplers draw them, and what makes sums over them
estimates of sums over the whole.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from lgmrec_pyg.graph.schema import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    REV_INTERACTS,
    USER,
    describes,
    similarities,
)

EXACT = 1000  # Pairs from which a series of two terms has all digits.
ADVICE = "transform the graph by 'ForSampling' before it is sampled"


class SampledNodes(NamedTuple):
    r"""The nodes of one type in a part of a graph.

    Args:
        n_id (torch.Tensor): Which nodes of the whole graph they are, of shape
            :math:`(N)`. The first of them are the seeds, which were drawn
            themselves, and not as neighbors.
        weight (torch.Tensor): The inverse probability that a batch holds a seed, of
            shape :math:`(S)`: weighted by it, a sum over seeds is an unbiased
            estimate of the sum over all nodes (Horvitz-Thompson).
        degree (torch.Tensor): The number of interactions that every node has in the
            whole graph, of shape :math:`(N)`.
    """

    n_id: Tensor
    weight: Tensor
    degree: Tensor


def is_subgraph(data: HeteroData) -> bool:
    r"""Whether a sampler has drawn the graph from another one."""
    return 'n_id' in data[USER] or 'n_id' in data[ITEM]


def triplets(data: HeteroData) -> tuple[Tensor, Tensor, Tensor]:
    r"""Returns the users, positive and negative items to train on, as rows of a part
    of a graph.

    Args:
        data (HeteroData): The part.

    Raises:
        ValueError: If it holds no triplets.
    """
    user = data[USER].get('src_index')
    pos, neg = data[ITEM].get('dst_pos_index'), data[ITEM].get('dst_neg_index')
    if user is None or pos is None or neg is None or neg.size() != user.size():
        raise ValueError(
            "A part of a graph needs triplets to train on: pass 'neg_sampling="
            'NegativeSampling("triplet", amount=1)\' to the loader'
        )
    return user, pos, neg


def neighbor_weights(data: HeteroData, dtype: torch.dtype) -> dict[EdgeType, Tensor]:
    r"""Returns the weights of sampled interactions.

    Of the :math:`d_i` in-neighbors of a node, :math:`n_i` were drawn, each with the
    same probability. With the degrees of the whole graph,

    .. math::
        w_{ji} = \frac{d_i}{n_i} \cdot \frac{1}{\sqrt{d_j d_i}}

    makes the sum over them an unbiased estimate of the sum over all. (Degrees of
    the part would not: the less of a node is drawn, the more its neighbors count.)
    Where edges come with an :obj:`edge_weight`, it takes the place of
    :math:`1 / \sqrt{d_j d_i}`.

    Args:
        data (HeteroData): The part of a graph.
        dtype (torch.dtype): The type of the weights.
    """
    out = {}
    for edge_type in (INTERACTS, REV_INTERACTS):
        source, _, target = edge_type
        if edge_type not in data.edge_types or 'edge_index' not in data[edge_type]:
            raise ValueError(
                f"A part of a graph needs 'edge_index' of {edge_type}: {ADVICE}"
            )
        store = data[edge_type]
        src, dst = store.edge_index
        weight = store.get('edge_weight')
        if weight is None and CONFIDENCE in data[INTERACTS]:
            raise ValueError(
                f"A part of a graph whose interactions have a '{CONFIDENCE}' needs "
                f"'edge_weight': transform the graph by 'DegreeNorm' before"
            )
        if weight is None:
            pairs = _attribute(data, source, 'degree').double()[src]
            weight = (pairs * _attribute(data, target, 'degree')[dst]).rsqrt()
        scale = neighbor_scale(data, edge_type)
        out[edge_type] = (weight * scale[dst]).to(dtype)
    return out


def neighbor_scale(data: HeteroData, edge_type: EdgeType) -> Tensor:
    r"""Returns :math:`d_i / n_i` of every target node, see :func:`neighbor_weights`."""
    target = edge_type[2]
    degree = _attribute(data, target, 'degree').double()
    drawn = torch.bincount(data[edge_type].edge_index[1], minlength=degree.numel())
    return degree / drawn.clamp_(min=1)


def user_degree(data: HeteroData, modality: str) -> Tensor:
    r"""Returns how many of all their items have a modality, a user, and at least one.

    Raises:
        ValueError: If an item came without its nodes of the modality.
    """
    name = f'{modality}_degree'
    items = data[describes(modality)].edge_index[1]
    expected = _attribute(data, ITEM, name)
    found = torch.bincount(items, minlength=expected.numel())
    if not torch.equal(found, expected.to(found.dtype)):
        raise ValueError(
            f"Items of a part need to have all of their nodes of '{modality}' (got "
            f'{int(found.sum())} of {int(expected.sum())}): sample {[-1]} of '
            f'{describes(modality)} in every hop, and one hop more than of the '
            f'interactions, of which it takes 0'
        )
    return _attribute(data, USER, name).clamp(min=1).view(-1, 1)


def check_similar(data: HeteroData, seeds: int) -> None:
    r"""Raises an error if a seed came without all of the items similar to it."""
    for edge_type in similarities(data):
        expected = _attribute(data, ITEM, f'{edge_type[1]}_degree')[:seeds]
        found = torch.bincount(data[edge_type].edge_index[1], minlength=seeds)[:seeds]
        if not torch.equal(found, expected.to(found.dtype)):
            raise ValueError(
                f'Seeds of a part need to have all of the items similar to them (got '
                f'{int(found.sum())} of {int(expected.sum())}): sample {[-1]} of '
                f'{edge_type} in the first hop'
            )


def sampled_nodes(data: HeteroData) -> dict[str, SampledNodes]:
    r"""Returns the users and items of a part of a graph.

    A sampler of this package says with which probability it drew the seeds; for
    those of PyG, see :func:`seed_probability`.

    Args:
        data (HeteroData): The part.

    Raises:
        ValueError: If it lacks an attribute.
    """
    out = {}
    for node_type in (USER, ITEM):
        if 'n_id' not in data[node_type]:
            raise ValueError(
                f"A part of a graph needs 'n_id' of users and items (got none of "
                f"'{node_type}')"
            )
        probability = data[node_type].get('seed_probability')
        if probability is None:
            probability = _pyg_probability(data, node_type)
        degree = _attribute(data, node_type, 'degree')
        out[node_type] = SampledNodes(data[node_type].n_id, 1 / probability, degree)
    return out


def seed_probability(
    degree: Tensor, num_pairs: int, num_drawn: int, num_nodes: int, num_uniform: int
) -> Tensor:
    r"""The probability that a batch holds a node,

    .. math::
        \pi_i = 1 - \binom{E - d_i}{B} \binom{E}{B}^{-1} \left( 1 - \frac{1}{N}
        \right)^{M},

    if :math:`B` of :math:`E` pairs are drawn, :math:`d_i` of which hold it, and
    :math:`M` of :math:`N` nodes, uniformly and with replacement.

    Args:
        degree (torch.Tensor): The number of its pairs :math:`d_i`.
        num_pairs (int): The number of pairs :math:`E`.
        num_drawn (int): The number of drawn pairs :math:`B`.
        num_nodes (int): The number of nodes :math:`N`.
        num_uniform (int): The number of nodes drawn on their own, :math:`M`.
    """
    degree, rest = degree.double(), max(num_pairs - num_drawn, 1)
    log_miss = _log_product(rest, degree) - _log_product(num_pairs, degree)
    log_miss = log_miss + degree * math.log(rest / num_pairs)
    log_miss = log_miss.where(num_pairs - degree >= num_drawn, -torch.inf)
    if num_uniform > 0:
        log_miss = log_miss + num_uniform * math.log(max(1 - 1 / num_nodes, 1e-300))
    return -torch.expm1(log_miss)


def _log_product(n: int, d: Tensor) -> Tensor:
    r"""The logarithm of :math:`n (n - 1) \cdots (n - d + 1) / n^d`."""
    rest = (n - d).clamp(min=1)
    if n < EXACT:
        whole = torch.lgamma(torch.full_like(d, n + 1))
        return whole - torch.lgamma(rest + 1) - d * math.log(n)
    # By the series of Stirling, for differences of such logarithms have no digits left.
    out = -(rest + 0.5) * torch.log1p(-d.clamp(max=n - 1) / n) - d
    return out + (1 / n - 1 / rest) / 12


def _pyg_probability(data: HeteroData, node_type: str) -> Tensor:
    user, pos, neg = triplets(data)
    index = user if node_type == USER else torch.cat([pos, neg])
    degree = _attribute(data, node_type, 'degree')[: int(index.max()) + 1]
    num_pairs, num_nodes = data[INTERACTS].num_pairs, data[node_type].num_total
    num_uniform = 0 if node_type == USER else neg.numel()
    return seed_probability(degree, num_pairs, user.numel(), num_nodes, num_uniform)


def _attribute(data: HeteroData, node_type: str, name: str) -> Tensor:
    value = data[node_type].get(name)
    if value is None:
        raise ValueError(
            f"A part of a graph needs '{name}' of '{node_type}' in the whole graph "
            f'(got none): {ADVICE}'
        )
    return value
