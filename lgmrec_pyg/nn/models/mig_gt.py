import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import BatchNorm1d, Embedding, Linear, PReLU, Sequential
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.dropout import Dropout, dropout
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.models.base import GraphRecommender
from lgmrec_pyg.nn.models.output import ModelOutput
from lgmrec_pyg.nn.sampled_attention import SampledAttention
from lgmrec_pyg.nn.teleport_propagation import TeleportPropagation


class MIGGTLosses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    unsmooth: Tensor
    reg: Tensor


class MIGGT(GraphRecommender):
    r"""The MIG-GT model from the `"Modality-Independent Graph Neural Networks with
    Global Transformers for Multimodal Recommendation"
    <https://arxiv.org/abs/2412.13994>`_ paper.

    User IDs, which items lack, and features of every modality, which users lack,
    are propagated over receptive fields of their own and added up; attention to
    random items makes up for the distance that this leaves between nodes:

    .. math::
        \mathbf{Z} &= \mathrm{prop}_{K_0}([\mathbf{U} ; \mathbf{0}]) + \sum_m
        \mathrm{prop}_{K_m}([\mathbf{0} ; \mathrm{MLP}_m(\mathbf{X}_m)]), \qquad
        \mathbf{Y} = \mathrm{attend}(\mathbf{Z})

        \mathcal{L} &= \sum_b \big( -\log \sigma(\mathbf{y}_u^{\top} (\mathbf{y}_p -
        \mathbf{y}_n)) - \log \mathrm{softmax}_j(\mathbf{y}_u^{\top}
        \mathbf{o}_{p,j})_0 \big) + \frac{\lambda}{2} \Vert \mathbf{Y} \Vert^2

    with :class:`~lgmrec_pyg.nn.TeleportPropagation` and
    :class:`~lgmrec_pyg.nn.SampledAttention`, whose rows for a positive item are
    :math:`\mathbf{o}_{p,j}`. The terms are sums over a batch, of 8,000 in the public
    code, not means. That code draws items at random in evaluation as well, where
    they stay the same here; it samples negatives that may be positives, masks
    validation items in tests, and first replaces wide image features by a
    :class:`~lgmrec_pyg.transforms.RandomProjection` to 384 columns.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): The layers :math:`K_0` of user IDs.
            (default: :obj:`4`)
        num_modality_layers (int or Dict[str, int], optional): The layers
            :math:`K_m`, for all modalities or each (2 for those left out).
            (default: :obj:`2`)
        hidden_dim (int, optional): The hidden width of MLPs. (default: :obj:`512`)
        num_samples (int, optional): The number of random items.
            (default: :obj:`10`)
        alpha (float, optional): The teleport probability. (default: :obj:`0.1`)
        dropout (Dict[str, float], optional): The dropout of features (:obj:`"input"`),
            hidden units (:obj:`"hidden"`), user IDs (:obj:`"user"`), projected items
            (:obj:`"item"`), edges (:obj:`"edge"`) and embeddings :math:`\mathbf{Z}`
            (:obj:`"output"`), where other than by default.
            (default: :obj:`None`, 0.3, 0.3, 0.3, 0.3, 0.2 and 0.2)
        unsmooth_weight (float, optional): The weight of the second term.
            (default: :obj:`1.0`)
        reg_weight (float, optional): :math:`\lambda`. (default: :obj:`1e-5`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    shared_by = ()  # Its regularization is of all nodes.

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        num_layers: int = 4,
        num_modality_layers: int | dict[str, int] = 2,
        hidden_dim: int = 512,
        num_samples: int = 10,
        alpha: float = 0.1,
        dropout: dict[str, float] | None = None,
        unsmooth_weight: float = 1.0,
        reg_weight: float = 1e-5,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.unsmooth_weight = unsmooth_weight
        self.reg_weight = reg_weight
        self.dropout = DROPOUT | (dropout or {})
        depth = num_modality_layers
        if not isinstance(depth, dict):
            depth = dict.fromkeys(feature_dims, depth)
        edge = self.dropout['edge']
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.projection = ModuleDict(
            {
                name: ItemProjection(dim, hidden_dim)
                for name, dim in feature_dims.items()
            }
        )
        self.mlp = ModuleDict(
            {
                name: Sequential(
                    BatchNorm1d(hidden_dim),
                    PReLU(),
                    Dropout(self.dropout['hidden']),
                    Linear(hidden_dim, embedding_dim),
                    BatchNorm1d(embedding_dim),
                    PReLU(),
                )
                for name in feature_dims
            }
        )
        self.collaborative = TeleportPropagation(num_layers, alpha, edge)
        self.propagation = ModuleDict(
            {
                name: TeleportPropagation(depth.get(name, 2), alpha, edge)
                for name in feature_dims
            }
        )
        self.attention = SampledAttention(embedding_dim, num_samples)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        for module in (self.projection, self.mlp, self.attention):
            reset(module)
        std = 1 / math.sqrt(self.user_embedding.embedding_dim)
        torch.nn.init.normal_(self.user_embedding.weight, std=std)
        for name, module in self.projection.items():
            for x in (module.projection, self.mlp[name][3]):
                torch.nn.init.xavier_uniform_(x.weight)
            for x in (module, self.mlp[name][3]):
                torch.nn.init.zeros_(x.bias)
            for x in (self.mlp[name][1], self.mlp[name][5]):
                torch.nn.init.constant_(x.weight, 0.25)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self._drop(self.user_embedding.weight, 'user')
        no_item = ids.new_zeros(self.num_items, ids.size(1))
        user, item = self.collaborative(ids, no_item, graph.interactions)
        for name, project in self.projection.items():
            x = self._drop(x_dict[name], 'input')
            content = self.mlp[name](project(x, graph.modality[name]))
            user_m, item_m = self.propagation[name](
                torch.zeros_like(ids), self._drop(content, 'item'), graph.interactions
            )
            user, item = user + user_m, item + item_m
        z = self._drop(torch.cat([user, item]), 'output')
        sizes = [self.num_users, self.num_items]
        sample = self.attention.sample(z.size(0), self.num_items, z.device)
        y = self.attention(z, z[self.num_users :], sample)
        views = {'sampled': (z.split(sizes)[1], sample.split(sizes)[1])}
        return ModelOutput(y[: self.num_users], y[self.num_users :], views)

    def _drop(self, x: Tensor, name: str) -> Tensor:
        return dropout(x, self.dropout[name], self.training)

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> MIGGTLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, (users, _, _) = self.ranking(out, user, pos, neg)
        ranking = ranking * user.numel()
        z, sample = out.views['sampled']
        tokens = self.attention.tokens(F.embedding(pos, z), z, sample[pos])
        score = (tokens @ users.unsqueeze(-1)).squeeze(-1)
        unsmooth = -score.log_softmax(dim=1)[:, 0].sum()
        reg = (out.user.square().sum() + out.item.square().sum()) / 2
        total = ranking + self.unsmooth_weight * unsmooth + self.reg_weight * reg
        return MIGGTLosses(total, ranking, unsmooth, reg)


DROPOUT = {
    'input': 0.3,
    'hidden': 0.3,
    'user': 0.3,
    'item': 0.3,
    'edge': 0.2,
    'output': 0.2,
}
