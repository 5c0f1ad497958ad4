import torch
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.models.base import GraphRecommender, half_squares
from lgmrec_pyg.nn.models.output import ModelOutput, RegularizedLosses


class GMGL(GraphRecommender):
    r"""A reconstruction of the model of the `"Gated Multimodal Graph Learning for
    Personalized Recommendation" <https://arxiv.org/abs/2506.00107>`_ paper, of
    which only the abstract could be consulted, and no code exists: items are a gated
    fusion of their projected features, and propagate by two layers of LightGCN.

    .. math::
        \mathbf{E}_i = \sum_m \mathbf{g}_m \odot \mathbf{f}_m, \qquad \mathbf{f}_m =
        \mathbf{x}_m \mathbf{W}_m + \mathbf{b}_m, \qquad \mathbf{g} = \mathrm{softmax}_m
        \big( [\mathbf{f}_1 \Vert \ldots \Vert \mathbf{f}_M] \mathbf{V}_m +
        \mathbf{v}_m \big)

    where the logits of the last modality are zero, so that the gate of two
    modalities is a sigmoid. The loss is BPR plus half the squared norms of a batch.
    That gates are vectors, that items have no ID embeddings, and all settings
    are guesses.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): The number of layers. (default: :obj:`2`)
        item_ids (bool, optional): If set to :obj:`True`, adds ID embeddings to
            items. (default: :obj:`False`)
        reg_weight (float, optional): The weight of the norms. (default: :obj:`1e-4`)
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
        num_layers: int = 2,
        item_ids: bool = False,
        reg_weight: float = 1e-4,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.reg_weight = reg_weight
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim) if item_ids else None
        self.projection = ModuleDict(
            {m: ItemProjection(dim, embedding_dim) for m, dim in feature_dims.items()}
        )
        self.gate = None
        if len(feature_dims) > 1:
            d = embedding_dim
            self.gate = Linear(len(feature_dims) * d, (len(feature_dims) - 1) * d)
        self.collaborative = LocalPropagation(num_layers)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        reset(self.projection)
        if self.gate is not None:
            self.gate.reset_parameters()
        if self.item_embedding is not None:
            torch.nn.init.xavier_uniform_(self.item_embedding.weight)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        content = torch.stack(
            [
                project(x_dict[name], graph.modality[name])
                for name, project in self.projection.items()
            ],
            dim=1,
        )
        logit = torch.zeros_like(content[:, :1])
        if self.gate is not None:
            others = self.gate(content.flatten(1)).view_as(content[:, 1:])
            logit = torch.cat([others, logit], dim=1)
        item = (logit.softmax(dim=1) * content).sum(dim=1)
        if self.item_embedding is not None:
            item = item + self.item_embedding.weight
        user = self.user_embedding.weight
        return ModelOutput(*self.collaborative(user, item, graph.interactions))

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> RegularizedLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, rows = self.ranking(out, user, pos, neg)
        reg = half_squares(*rows)
        return RegularizedLosses(ranking + self.reg_weight * reg, ranking, reg)
