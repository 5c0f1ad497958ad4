import torch
from torch import Tensor
from torch.nn import Embedding

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.models.base import GraphRecommender, half_squares
from lgmrec_pyg.nn.models.output import ModelOutput, RegularizedLosses
from lgmrec_pyg.ops.parallel import lookup


class LightGCN(GraphRecommender):
    r"""The LightGCN model from the `"LightGCN: Simplifying and Powering Graph
    Convolution Network for Recommendation" <https://arxiv.org/abs/2002.02126>`_
    paper: ID embeddings, propagated over the interactions and averaged over layers.
    It takes the arguments of the multimodal models, and reads no features.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int], optional): Not used. (default: :obj:`None`)
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): The number of layers. (default: :obj:`2`)
        reg_weight (float, optional): The weight of half the squared norms of the
            embeddings of a batch, before propagation. (default: :obj:`1e-4`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    needs_modalities = False
    shared_by = ('batch', 'columns', 'rows')

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int] | None = None,
        embedding_dim: int = 64,
        num_layers: int = 2,
        reg_weight: float = 1e-4,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        feature_dims = feature_dims or {}
        super().__init__(locals())
        self.reg_weight = reg_weight
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.collaborative = LocalPropagation(num_layers)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier uniform)."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self.user_embedding.weight, self.item_embedding.weight
        return ModelOutput(*self.collaborative(*ids, graph.interactions))

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> RegularizedLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, _ = self.ranking(out, user, pos, neg)
        users, items = self.user_embedding.weight, self.item_embedding.weight
        reg = half_squares(lookup(users, user), lookup(items, pos), lookup(items, neg))
        return RegularizedLosses(ranking + self.reg_weight * reg, ranking, reg)
