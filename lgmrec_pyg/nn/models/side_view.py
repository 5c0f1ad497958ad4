from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss.batch_contrast import BatchContrast
from lgmrec_pyg.nn.models.base import GraphRecommender, half_squares
from lgmrec_pyg.nn.models.output import Losses, ModelOutput
from lgmrec_pyg.ops import spmm


class SideViewRecommender(GraphRecommender):
    r"""What :class:`MGCN` and :class:`SMORE` share: a collaborative view
    :math:`\mathbf{C} = \mathrm{LightGCN}(\mathbf{E})`, side views
    :math:`\mathbf{H}_m = [\hat{\mathbf{R}} \mathbf{E}_m ; \mathbf{E}_m]` of item
    embeddings passed to similar items and on to users, and the loss.

    Args:
        arguments (Dict[str, Any]): The :meth:`locals` of the constructor.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__(arguments)
        dim = arguments['embedding_dim']
        self.num_similar_layers = arguments['num_similar_layers']
        self.contrast_weight = arguments['contrast_weight']
        self.reg_weight = arguments['reg_weight']
        self.user_embedding = Embedding(self.num_users, dim)
        self.item_embedding = Embedding(self.num_items, dim)
        self.projection = ModuleDict(
            {name: ItemProjection(d, dim) for name, d in self.feature_dims.items()}
        )
        self.collaborative = LocalPropagation(arguments['num_layers'])
        self.contrast = BatchContrast(arguments['temperature'])

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        for module in self.children():
            if not isinstance(module, Embedding):
                reset(module)

    def view(self, item: Tensor, name: str, graph: MultimodalGraph) -> list[Tensor]:
        r"""The view of users and of items that starts from item embeddings."""
        for _ in range(self.num_similar_layers):
            item = spmm(graph.similar[name], item)
        return [spmm(graph.interactions.to_user, item), item]

    def loss(self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor) -> Losses:
        r"""Computes the loss of a batch of triplets."""
        ranking, rows = self.ranking(out, user, pos, neg)
        reg, contrast = half_squares(*rows), ranking.new_zeros(())
        pairs = zip(out.views['side'], out.views['collaborative'], strict=True)
        for index, (side, other) in zip((user, pos), pairs, strict=True):
            contrast = contrast + self.contrast(
                F.embedding(index, side), F.embedding(index, other)
            )
        total = ranking + self.contrast_weight * contrast + self.reg_weight * reg
        return Losses(total, ranking, contrast, reg)
