r"""LGMRec written plainly, the way recommender code bases write it, as the
yardstick for speed and memory: one square COO adjacency over users and items,
and stored scores of the batch against all nodes.
"""

from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Module, Parameter, ParameterDict

from lgmrec_pyg.nn import LGMRec, ModalityEncoder

Parts = dict[str, Tensor]


class PlainLGMRec(Module):
    r"""The model of the paper and its loss, with the arguments of the library's."""

    def __init__(
        self,
        edge_index: Tensor,
        num_users: int,
        num_items: int,
        features: dict[str, Tensor],
        embedding_dim: int = 64,
        num_collaborative_layers: int = 2,
        num_modality_layers: int = 2,
        num_hypergraph_layers: int = 1,
        num_hyperedges: int = 4,
        temperature: float = 0.2,
        dropout: float = 0.5,
        alpha: float = 0.3,
        contrast_weight: float = 1e-4,
        reg_weight: float = 1e-6,
    ) -> None:
        super().__init__()
        self.num_users, self.num_items = num_users, num_items
        self.num_collaborative_layers = num_collaborative_layers
        self.num_modality_layers = num_modality_layers
        self.num_hypergraph_layers = num_hypergraph_layers
        self.temperature, self.dropout, self.alpha = temperature, dropout, alpha
        self.contrast_weight, self.reg_weight = contrast_weight, reg_weight

        self.features = features
        self.interactions, self.user_degree, self.adjacency = _matrices(
            edge_index, num_users, num_items, next(iter(features.values())).dtype
        )
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.projection, self.hyperedges = ParameterDict(), ParameterDict()
        for name, x in features.items():
            self.projection[name] = Parameter(x.new_empty(x.size(1), embedding_dim))
            self.hyperedges[name] = Parameter(x.new_empty(x.size(1), num_hyperedges))
        for parameter in self.parameters():
            torch.nn.init.xavier_uniform_(parameter)

    @torch.no_grad()
    def load_weights(self, model: LGMRec) -> None:
        r"""Copies the parameters of the library's model."""
        self.user_embedding.weight.copy_(model.user_embedding.weight)
        self.item_embedding.weight.copy_(model.item_embedding.weight)
        for name, encoder in model.encoder.items():
            assert isinstance(encoder, ModalityEncoder)
            self.projection[name].copy_(encoder.projection.weight)
            self.hyperedges[name].copy_(encoder.projection.hyperedge)

    def forward(self) -> tuple[Tensor, Parts]:
        r"""The final embedding of all users and items, and the hypergraph
        embedding of every modality.
        """
        layers = [torch.cat([self.user_embedding.weight, self.item_embedding.weight])]
        for _ in range(self.num_collaborative_layers):
            layers.append(torch.sparse.mm(self.adjacency, layers[-1]))
        collaborative = torch.stack(layers, dim=1).mean(dim=1)
        hypergraph = {
            name: self._hypergraph(name, collaborative[self.num_users :])
            for name in self.features
        }
        out = collaborative
        for name in self.features:
            out = out + F.normalize(self._modality(name))
        total = torch.zeros_like(out)
        for part in hypergraph.values():
            total = total + part
        return out + self.alpha * F.normalize(total), hypergraph

    def loss(self, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        r"""The loss of a batch of triplets and its terms."""
        out, hypergraph = self()
        users, items = out.split([self.num_users, self.num_items])
        e_user, e_pos, e_neg = users[user], items[pos], items[neg]
        difference = (e_user * e_pos).sum(dim=1) - (e_user * e_neg).sum(dim=1)
        bpr = -F.logsigmoid(difference).mean()
        contrast = bpr.new_zeros(())
        for anchor, key in combinations(hypergraph.values(), 2):
            anchors = anchor.split([self.num_users, self.num_items])
            keys = key.split([self.num_users, self.num_items])
            contrast = contrast + self._contrast(anchors[0], keys[0], user)
            contrast = contrast + self._contrast(anchors[1], keys[1], pos)
        reg = (e_user.norm() + e_pos.norm() + e_neg.norm()) / user.numel()
        total = bpr + self.contrast_weight * contrast + self.reg_weight * reg
        return {'total': total, 'ranking': bpr, 'contrast': contrast, 'reg': reg}

    def _modality(self, name: str) -> Tensor:
        item = self.features[name] @ self.projection[name]
        user = torch.sparse.mm(self.interactions, item) / self.user_degree
        out = torch.cat([user, item])
        for _ in range(self.num_modality_layers):
            out = torch.sparse.mm(self.adjacency, out)
        return out

    def _hypergraph(self, name: str, out: Tensor) -> Tensor:
        logits = self.features[name] @ self.hyperedges[name]
        item = self._membership(logits)
        user = self._membership(torch.sparse.mm(self.interactions, logits))
        for _ in range(self.num_hypergraph_layers):
            latent = item.t() @ out
            out = item @ latent
        return torch.cat([user @ latent, out])

    def _membership(self, logits: Tensor) -> Tensor:
        if self.training:
            out = F.gumbel_softmax(logits, self.temperature, dim=1)
        else:
            out = F.softmax(logits / self.temperature, dim=1)
        return F.dropout(out, self.dropout, self.training)

    def _contrast(self, anchor: Tensor, key: Tensor, index: Tensor) -> Tensor:
        anchors, all_keys = F.normalize(anchor[index]), F.normalize(key)
        positive = torch.exp((anchors * all_keys[index]).sum(1) / self.temperature)
        every = torch.exp(anchors @ all_keys.t() / self.temperature).sum(dim=1)
        return -torch.log(positive / every).sum()


def _matrices(
    edge_index: Tensor, num_users: int, num_items: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    user, item = edge_index
    ones = torch.ones(user.numel(), dtype=dtype, device=user.device)
    interactions = torch.sparse_coo_tensor(
        edge_index, ones, (num_users, num_items), check_invariants=False
    )
    row = torch.cat([user, item + num_users])
    col = torch.cat([item + num_users, user])
    num_nodes = num_users + num_items
    degree = torch.bincount(row, minlength=num_nodes).to(dtype)
    value = (degree[row] * degree[col]).rsqrt()
    adjacency = torch.sparse_coo_tensor(
        torch.stack([row, col]),
        value,
        (num_nodes, num_nodes),
        check_invariants=False,
    )
    user_degree = degree[:num_users].clamp(min=1).view(-1, 1)
    return interactions.coalesce(), user_degree, adjacency.coalesce()
