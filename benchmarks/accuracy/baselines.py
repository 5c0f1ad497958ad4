r"""Learned models to hold against LGMRec, all of which ``fit`` trains."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Embedding, Linear, Module
from torch_geometric.nn import LightGCN

from benchmarks.accuracy.task import Task
from lgmrec_pyg.graph import INTERACTS, REV_INTERACTS
from lgmrec_pyg.nn import BipartiteGraph, BPRLoss, LocalPropagation


class Objective(NamedTuple):
    r"""The loss of a baseline."""

    total: Tensor


class GraphRecommender(Module):
    r"""PyG's :class:`~torch_geometric.nn.models.LightGCN`, propagated over the two
    directions of the graph by this library, several times as fast; with zero
    layers, matrix factorization.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        embedding_dim (int): The embedding size.
        num_layers (int): The number of layers.
        reg_weight (float): The weight of the squared norm of the batch's
            embeddings before propagation.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int,
        num_layers: int,
        reg_weight: float,
    ) -> None:
        super().__init__()
        self.num_users = num_users
        self.num_items = num_items
        self.reg_weight = reg_weight
        self.gnn = LightGCN(num_users + num_items, embedding_dim, num_layers)
        self.propagation = LocalPropagation(num_layers, 'mean')

    def forward(self, graph: BipartiteGraph) -> Tensor:
        weight = self.gnn.embedding.weight
        user, item = weight.split([self.num_users, self.num_items])
        return torch.cat(self.propagation(user, item, graph))

    def loss(self, out: Tensor, user: Tensor, pos: Tensor, neg: Tensor) -> Objective:
        r"""PyG's own loss of a batch of triplets."""
        pos, neg = pos + self.num_users, neg + self.num_users
        anchor = out[user]
        total = self.gnn.recommendation_loss(
            (anchor * out[pos]).sum(dim=1),
            (anchor * out[neg]).sum(dim=1),
            torch.cat([user, pos, neg]),
            self.reg_weight,
        )
        return Objective(total)

    def embed(self, graph: BipartiteGraph) -> tuple[Tensor, Tensor]:
        user, item = self(graph).split([self.num_users, self.num_items])
        return user, item


class VBPR(Module):
    r"""The model of the `"VBPR: Visual Bayesian Personalized Ranking from Implicit
    Feedback" <https://arxiv.org/abs/1510.01784>`_ paper on the features of all
    modalities side by side.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dim (int): The width of the features.
        embedding_dim (int): The size of the ID and of the content embedding.
        reg_weight (float): The weight of the squared norm of what a batch uses.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dim: int,
        embedding_dim: int,
        reg_weight: float,
    ) -> None:
        super().__init__()
        self.reg_weight = reg_weight
        self.user = Embedding(num_users, 2 * embedding_dim)
        self.item = Embedding(num_items, embedding_dim)
        self.content = Linear(feature_dim, embedding_dim, bias=False)
        self.content_bias = Linear(feature_dim, 1, bias=False)
        self.bias = Embedding(num_items, 1)
        self.bpr = BPRLoss()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        for module in (self.user, self.item, self.content):
            torch.nn.init.xavier_uniform_(module.weight)
        torch.nn.init.zeros_(self.content_bias.weight)
        torch.nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # The bias of an item is one more column, which users meet with a one.
        bias = self.bias.weight + self.content_bias(x)
        user = torch.cat(
            [self.user.weight, torch.ones_like(self.user.weight[:, :1])], 1
        )
        return user, torch.cat([self.item.weight, self.content(x), bias], dim=1)

    def loss(
        self, out: tuple[Tensor, Tensor], user: Tensor, pos: Tensor, neg: Tensor
    ) -> Objective:
        r"""BPR of a batch of triplets with its regularization."""
        used = out[0][user], out[1][pos], out[1][neg]
        norm = sum(x.square().sum() for x in used) / user.numel()
        return Objective(self.bpr(*used) + self.reg_weight * norm)

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x)


def build_lightgcn(
    task: Task,
    num_layers: int = 3,
    reg_weight: float = 1e-4,
    embedding_dim: int = 64,
) -> tuple[Module, tuple[Any, ...]]:
    r"""A :class:`GraphRecommender` and its normalized graph."""
    adj_dict = task.inputs[1]
    model = GraphRecommender(
        task.num_users, task.num_items, embedding_dim, num_layers, reg_weight
    )
    return model, (BipartiteGraph(adj_dict[INTERACTS], adj_dict[REV_INTERACTS]),)


def build_vbpr(
    task: Task, reg_weight: float = 1e-4, embedding_dim: int = 64
) -> tuple[Module, tuple[Any, ...]]:
    r"""A :class:`VBPR` and the features of all modalities."""
    x = torch.cat([task.features(name) for name in task.feature_dims], dim=1)
    model = VBPR(task.num_users, task.num_items, x.size(1), embedding_dim, reg_weight)
    return model, (x,)
