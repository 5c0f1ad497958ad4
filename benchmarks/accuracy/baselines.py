r"""Learned models to hold against LGMRec, all of which ``fit`` trains."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear, Module
from torch_geometric.data import HeteroData
from torch_geometric.nn import LightGCN

from lgmrec_pyg.graph import ITEM, USER, MultimodalGraph, modalities
from lgmrec_pyg.nn import (
    BPRLoss,
    HypergraphEmbedding,
    LGMRec,
    LGMRecOutput,
    LocalPropagation,
)
from lgmrec_pyg.ops import spmm

Embeddings = tuple[Tensor, Tensor]


class Objective(NamedTuple):
    r"""The loss of a baseline, and what of it ranks."""

    total: Tensor
    ranking: Tensor


class GraphRecommender(Module):
    r"""PyG's :class:`~torch_geometric.nn.models.LightGCN`, propagated over the two
    directions of the graph by this library, several times as fast; with zero
    layers, matrix factorization.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        num_layers: int = 3,
        reg_weight: float = 1e-4,
    ) -> None:
        super().__init__()
        self.num_users = num_users
        self.num_items = num_items
        self.reg_weight = reg_weight
        self.gnn = LightGCN(num_users + num_items, embedding_dim, num_layers)
        self.propagation = LocalPropagation(num_layers, 'mean')

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> 'GraphRecommender':
        r"""Reads the sizes from a graph."""
        return cls(data[USER].num_nodes, data[ITEM].num_nodes, **kwargs)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> Tensor:
        weight = self.gnn.embedding.weight
        user, item = weight.split([self.num_users, self.num_items])
        return torch.cat(self.propagation(user, item, graph.interactions))

    def loss(self, out: Tensor, user: Tensor, pos: Tensor, neg: Tensor) -> Objective:
        r"""PyG's own loss of a batch of triplets."""
        pos, neg = pos + self.num_users, neg + self.num_users
        anchor = out[user]
        ranks = (anchor * out[pos]).sum(dim=1), (anchor * out[neg]).sum(dim=1)
        nodes = torch.cat([user, pos, neg])
        total = self.gnn.recommendation_loss(*ranks, nodes, self.reg_weight)
        return Objective(total, F.softplus(ranks[1] - ranks[0]).mean())

    def embed(self, *inputs: Any) -> Embeddings:
        user, item = self(*inputs).split([self.num_users, self.num_items])
        return user, item


class VBPR(Module):
    r"""The model of the `"VBPR: Visual Bayesian Personalized Ranking from Implicit
    Feedback" <https://arxiv.org/abs/1510.01784>`_ paper on the features of all
    modalities side by side.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        reg_weight: float = 1e-4,
    ) -> None:
        super().__init__()
        if not feature_dims:
            raise ValueError("'feature_dims' needs to hold a modality (got none)")
        self.feature_dims = feature_dims
        self.reg_weight = reg_weight
        self.user = Embedding(num_users, 2 * embedding_dim)
        self.item = Embedding(num_items, embedding_dim)
        self.content = Linear(sum(feature_dims.values()), embedding_dim, bias=False)
        self.content_bias = Linear(sum(feature_dims.values()), 1, bias=False)
        self.bias = Embedding(num_items, 1)
        self.bpr = BPRLoss()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> 'VBPR':
        r"""Reads the sizes from a graph."""
        dims = {name: data[name].num_features for name in modalities(data)}
        return cls(data[USER].num_nodes, data[ITEM].num_nodes, dims, **kwargs)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        for module in (self.user, self.item, self.content):
            torch.nn.init.xavier_uniform_(module.weight)
        torch.nn.init.zeros_(self.content_bias.weight)
        torch.nn.init.zeros_(self.bias.weight)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> Embeddings:
        weight = torch.cat([self.content.weight, self.content_bias.weight])
        parts = weight.split(list(self.feature_dims.values()), dim=1)
        out = torch.zeros_like(weight[:, 0])
        for name, part in zip(self.feature_dims, parts, strict=True):
            out = out + spmm(graph.modality[name].to_item, x_dict[name] @ part.t())
        # The bias of an item is one more column, which users meet with a one.
        content, bias = out[:, :-1], out[:, -1:] + self.bias.weight
        user = torch.cat(
            [self.user.weight, torch.ones_like(self.user.weight[:, :1])], 1
        )
        return user, torch.cat([self.item.weight, content, bias], dim=1)

    def loss(
        self, out: Embeddings, user: Tensor, pos: Tensor, neg: Tensor
    ) -> Objective:
        r"""BPR of a batch of triplets with its regularization."""
        used = out[0][user], out[1][pos], out[1][neg]
        norm = sum(x.square().sum() for x in used) / user.numel()
        ranking = self.bpr(*used)
        return Objective(ranking + self.reg_weight * norm, ranking)

    def embed(self, *inputs: Any) -> Embeddings:
        return self(*inputs)


class MembershipBugLGMRec(LGMRec):
    r"""LGMRec with the user memberships that the authors' code had until mid-2024,
    which published numbers come from: the softmaxed memberships of the second
    modality overwrote those of the first and took their place, while the second
    kept its raw logits (with dropout). Items are not affected.
    """

    def forward(  # type: ignore[override]  # As of LGMRec.
        self, *args: Any
    ) -> LGMRecOutput:
        if len(self.feature_dims) != 2:
            raise ValueError(
                f"'feature_dims' needs to hold two modalities for this comparison "
                f'(got {list(self.feature_dims)})'
            )
        logits: list[Tensor] = []
        handle = self.hypergraph.register_forward_pre_hook(
            lambda module, inputs: logits.append(inputs[1])
        )
        try:
            out = super().forward(*args)
        finally:
            handle.remove()
        if not out.user.hypergraph:
            return out
        first, second = out.user.hypergraph
        raw = F.dropout(logits[1], self.hypergraph.membership.dropout, self.training)
        swapped = (
            HypergraphEmbedding(second.membership, first.latent),
            HypergraphEmbedding(raw, second.latent),
        )
        return LGMRecOutput(out.user._replace(hypergraph=swapped), out.item)
