import torch
from torch import Tensor
from torch.nn import Embedding, Parameter
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.models.base import GraphRecommender, norms
from lgmrec_pyg.nn.models.output import ModelOutput, RegularizedLosses


class VBPR(GraphRecommender):
    r"""The VBPR model from the `"VBPR: Visual Bayesian Personalized Ranking from
    Implicit Feedback" <https://arxiv.org/abs/1510.01784>`_ paper, a factorization
    without message passing.

    .. math::
        s_{ui} = \mathbf{u}^{\top} [\mathbf{e}_i \,\Vert\, \sum_m \mathbf{x}_{m,i}
        \mathbf{W}_m + \mathbf{b}], \qquad \mathcal{L} = \mathcal{L}_{\mathrm{BPR}} +
        \lambda \frac{\Vert \mathbf{U} \Vert_F + \Vert \mathbf{I}_p \Vert_F + \Vert
        \mathbf{I}_n \Vert_F}{B}

    over the embeddings of a batch. This is the form in which the multimodal
    literature compares with it: the biases of items and features that the paper
    has are left out, and its squared norms are not squared.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The size of ID embeddings and of projected
            features. (default: :obj:`64`)
        reg_weight (float, optional): :math:`\lambda`. (default: :obj:`1e-2`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        reg_weight: float = 1e-2,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.reg_weight = reg_weight
        self.user_embedding = Embedding(num_users, 2 * embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.projection = ModuleDict(
            {
                name: ItemProjection(dim, embedding_dim, bias=False)
                for name, dim in feature_dims.items()
            }
        )
        self.bias = Parameter(torch.empty(embedding_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier)."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        # As one layer on all features side by side:
        width = sum(self.feature_dims.values()) + self.bias.numel()
        for module in self.projection.values():
            torch.nn.init.normal_(module.projection.weight, std=(2 / width) ** 0.5)
        torch.nn.init.zeros_(self.bias)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        content = self.bias
        for name, project in self.projection.items():
            content = content + project(x_dict[name], graph.modality[name])
        item = torch.cat([self.item_embedding.weight, content], dim=1)
        return ModelOutput(self.user_embedding.weight, item)

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> RegularizedLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, rows = self.ranking(out, user, pos, neg)
        reg = norms(*rows)
        return RegularizedLosses(ranking + self.reg_weight * reg, ranking, reg)
