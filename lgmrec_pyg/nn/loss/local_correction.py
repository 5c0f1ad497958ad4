from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.per_graph import PerGraph
from lgmrec_pyg.ops import spmm

CHUNK_SIZE = 512


class LocalCorrection(Module):
    r"""Ties users to items that go with those they have, and unties them from those
    that hardly do, the local part of the `"DGR: A General Graph Desmoothing Framework
    for Recommendation via Global and Local Perspectives"
    <https://arxiv.org/abs/2403.04287>`_ paper.

    .. math::
        \mathcal{L}^{\pm} = \sum_{(u, i)} \sum_{j \in \mathcal{N}^{\pm}(i)}
        - \Omega_{ij} \log \sigma(\mathbf{e}_u^{\top} \mathbf{e}_j), \qquad
        \Omega_{ij} = \frac{C_{ij}}{\sqrt{(D_i + 1)(D_j + 1)}}

    with the number :math:`C_{ij}` of users that items have in common (with itself,
    all it has) and :math:`D_i = \sum_j C_{ij}`. :math:`\mathcal{N}^+(i)` holds the
    :math:`k` largest :math:`\Omega_{ij}`, and :math:`\mathcal{N}^-(i)` the :math:`k`
    smallest that are not zero, or nothing if there are fewer than :math:`3k` of
    those. They are found once a graph, exactly and a few items at a time.

    Args:
        k (int, optional): The number of items on either side. (default: :obj:`10`)

    Shapes:
        - **input:** a batch of users :math:`(B, d)`, all items
          :math:`(|\mathcal{I}|, d)`, positive item indices :math:`(B)`, a
          :class:`~lgmrec_pyg.graph.BipartiteGraph`
        - **output:** the two scalars :math:`\mathcal{L}^+` and :math:`\mathcal{L}^-`
    """

    def __init__(self, k: int = 10) -> None:
        super().__init__()
        self.k = k
        self._lists = PerGraph(partial(co_occurrence, k=k))

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(
        self, user: Tensor, item: Tensor, pos: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        out = []
        for index, weight in self._lists(graph):
            other = F.embedding(index[pos], item)
            score = (other @ user.unsqueeze(-1)).squeeze(-1)
            out.append((weight[pos].to(score.dtype) * F.softplus(-score)).sum())
        return out[0], out[1]

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(k={self.k})'


@torch.no_grad()
def co_occurrence(graph: BipartiteGraph, k: int) -> list[tuple[Tensor, Tensor]]:
    r"""The items and weights :math:`\Omega_{ij}` of :math:`\mathcal{N}^+` and of
    :math:`\mathcal{N}^-`, each of shape :math:`(|\mathcal{I}|, k)`; what is missing
    has weight zero.
    """
    csr = graph.to_item.csr
    to_item, device = graph.to_item.unweighted(), csr.col.device
    user_degree = graph.to_user.degree.to(torch.float64).view(-1, 1)
    scale = (spmm(to_item, user_degree) + 1).rsqrt().float()
    k = min(k, graph.num_items)
    near, far = [], []
    for items in torch.arange(graph.num_items, device=device).split(CHUNK_SIZE):
        edges = slice(int(csr.rowptr[items[0]]), int(csr.rowptr[items[-1] + 1]))
        column = csr.row[edges] - items[0]
        dense = scale.new_zeros(graph.num_users, items.numel())
        dense[csr.col[edges], column] = 1
        omega = (spmm(to_item, dense) * scale * scale[items].t()).t()
        value, index = omega.topk(k, dim=1)
        near.append((index, value))
        is_zero = omega == 0
        value, index = omega.masked_fill(is_zero, torch.inf).topk(k, 1, largest=False)
        few = (~is_zero).sum(dim=1, keepdim=True) < 3 * k
        far.append((index, value.masked_fill(few | value.isinf(), 0.0)))
    return [
        (torch.cat([i for i, _ in part]), torch.cat([w for _, w in part]))
        for part in (near, far)
    ]
