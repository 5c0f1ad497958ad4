from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss.bootstrap import BootstrapLoss
from lgmrec_pyg.nn.models.base import GraphRecommender
from lgmrec_pyg.nn.models.output import ModelOutput


class BM3Losses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    modality: Tensor
    reg: Tensor


class BM3(GraphRecommender):
    r"""The BM3 model from the `"Bootstrap Latent Representations for Multi-modal
    Recommendation" <https://arxiv.org/abs/2207.05969>`_ paper.

    With :math:`\mathbf{E} = \mathrm{LightGCN}(\mathbf{E}^{(0)})`, to which items add
    :math:`\mathbf{E}^{(0)}_i` once more, projected features :math:`\mathbf{f}_m =
    \mathbf{x}_m \mathbf{W}_m + \mathbf{b}_m`, one linear predictor :math:`P`, and
    targets :math:`\tilde{\mathbf{e}}` that are dropped out and receive no gradient,
    training needs no negatives:

    .. math::
        C(\mathbf{a}, \mathbf{b}) &= 1 - \cos(P(\mathbf{a}), \tilde{\mathbf{b}})

        \mathcal{L} &= C(\mathbf{e}_u, \mathbf{e}_p) + C(\mathbf{e}_p,
        \mathbf{e}_u) + w \sum_m \big( C(\mathbf{f}_{m,p}, \mathbf{e}_p) +
        C(\mathbf{f}_{m,p}, \mathbf{f}_{m,p}) \big) + \lambda \frac{\Vert
        \mathbf{E}_u \Vert_F + \Vert \mathbf{E}_i \Vert_F}{|\mathcal{I}|}

    as means over a batch, with one draw of every target a step. Scores are
    :math:`P(\mathbf{e}_u)^{\top} P(\mathbf{e}_i)`. Features are frozen here, and
    trained in the public code; that draws dropout for all nodes, this for the rows of
    the batch.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): Layers over interactions. (default: :obj:`1`)
        dropout (float, optional): The dropout of targets. (default: :obj:`0.5`)
        modality_weight (float, optional): :math:`w`. (default: :obj:`2.0`)
        reg_weight (float, optional): :math:`\lambda`. (default: :obj:`0.1`)
        ranking_loss (str, optional): :obj:`"bootstrap"`, the first two terms above,
            or :obj:`"bpr"` or :obj:`"softmax"` on the scores instead of these.
            (default: :obj:`"bootstrap"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    shared_by = ()  # Its regularization is of all nodes.
    ranking_losses = ('bootstrap', 'bpr', 'softmax')

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        num_layers: int = 1,
        dropout: float = 0.5,
        modality_weight: float = 2.0,
        reg_weight: float = 0.1,
        ranking_loss: str = 'bootstrap',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.modality_weight = modality_weight
        self.reg_weight = reg_weight
        self.ranks_by_alignment = ranking_loss == 'bootstrap'
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.collaborative = LocalPropagation(num_layers)
        self.projection = ModuleDict(
            {m: ItemProjection(dim, embedding_dim) for m, dim in feature_dims.items()}
        )
        self.predictor = Linear(embedding_dim, embedding_dim)
        self.align = BootstrapLoss(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier)."""
        reset(self.projection)
        reset(self.predictor)
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        torch.nn.init.xavier_normal_(self.predictor.weight)
        for module in self.projection.values():
            torch.nn.init.xavier_normal_(module.projection.weight)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self.user_embedding.weight, self.item_embedding.weight
        user, item = self.collaborative(*ids, graph.interactions)
        item = item + ids[1]
        return ModelOutput(
            self.predictor(user),
            self.predictor(item),
            {'target': (user, item)},
            (x_dict, graph),
        )

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> BM3Losses:
        r"""Computes the loss of a batch of triplets."""
        all_users, all_items = out.views['target']
        user_target = self.align.target(F.embedding(user, all_users))
        item_target = self.align.target(F.embedding(pos, all_items))
        if self.ranks_by_alignment:
            online_user, online_item, _ = out.select(user, pos, neg)
            ranking = self.align(online_user, item_target)
            ranking = ranking + self.align(online_item, user_target)
        else:
            ranking, _ = self.ranking(out, user, pos, neg)
        modality = ranking.new_zeros(())
        x_dict, graph = out.inputs
        for name, project in self.projection.items():
            content = F.embedding(pos, project(x_dict[name], graph.modality[name]))
            targets = item_target, self.align.target(content)
            modality = modality + self.align(self.predictor(content), *targets)
        reg = (all_users.norm() + all_items.norm()) / self.num_items
        total = ranking + self.modality_weight * modality + self.reg_weight * reg
        return BM3Losses(total, ranking, modality, reg)
