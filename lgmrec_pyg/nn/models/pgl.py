from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.degree_drop_edge import DegreeDropEdge
from lgmrec_pyg.nn.dropout import dropout
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss.batch_contrast import BatchContrast
from lgmrec_pyg.nn.models.base import GraphRecommender
from lgmrec_pyg.nn.models.output import ModelOutput
from lgmrec_pyg.nn.similar_propagation import SimilarPropagation
from lgmrec_pyg.ops import unit_rows


class PGLLosses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    contrast: Tensor


class PGL(GraphRecommender):
    r"""The PGL model from the `"Mind Individual Information! Principal Graph Learning
    for Multimedia Recommendation"
    <https://ojs.aaai.org/index.php/AAAI/article/view/33429>`_ paper.

    Users have an embedding for every modality, and items nothing but their
    features; they are propagated over a small subgraph in training, and over all
    interactions in evaluation:

    .. math::
        \mathbf{E}_i^{(0)} = \Vert_m \, \mathrm{norm}(\mathbf{X}_m \mathbf{W}_m +
        \mathbf{b}_m), \qquad \mathbf{E} = \mathrm{LightGCN}(\mathbf{E}^{(0)}), \qquad
        \mathbf{E}_i \leftarrow \mathbf{E}_i + \sum_m \omega_m \mathbf{S}_m
        \mathbf{E}_i^{(0)}

    The loss is BPR plus :math:`\frac{\lambda}{2}` times the contrast between two
    dropouts of the users, and of the positive items, of a batch. The subgraph is the
    local one, of edges between nodes of low degree, see
    :class:`~lgmrec_pyg.nn.DegreeDropEdge`; the global one, by singular vectors, is
    left out. The graph needs uniform similarities,
    :obj:`SimilarItems(k=10, weight='uniform')`. Features are frozen here, and
    trained in the public code, whose :math:`\lambda` is zero.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size of every modality.
            (default: :obj:`64`)
        num_layers (int, optional): Layers over interactions. (default: :obj:`2`)
        first_weight (float, optional): The weight :math:`\omega` of
            :obj:`"image"`, or of the first modality where there is none; the others
            share the rest. (default: :obj:`0.1`)
        drop_edge (float, optional): The share of interactions to drop.
            (default: :obj:`0.7`)
        contrast_weight (float, optional): :math:`\lambda`. (default: :obj:`0.0`)
        dropout (float, optional): The dropout of the contrast.
            (default: :obj:`0.2`)
        temperature (float, optional): The temperature of the contrast.
            (default: :obj:`0.2`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    similar_items = "SimilarItems(k=10, weight='uniform')"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        num_layers: int = 2,
        first_weight: float = 0.1,
        drop_edge: float = 0.7,
        contrast_weight: float = 0.0,
        dropout: float = 0.2,
        temperature: float = 0.2,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.contrast_weight = contrast_weight
        self.dropout = dropout
        self.user_embedding = Embedding(num_users, len(feature_dims) * embedding_dim)
        self.projection = ModuleDict(
            {m: ItemProjection(dim, embedding_dim) for m, dim in feature_dims.items()}
        )
        self.drop_edge = DegreeDropEdge(drop_edge)
        self.collaborative = LocalPropagation(num_layers)
        self.similar = SimilarPropagation(list(feature_dims), first_weight)
        self.contrast = BatchContrast(temperature)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        size = self.num_users, len(self.projection), -1
        for table in self.user_embedding.weight.data.view(size).unbind(1):
            torch.nn.init.xavier_uniform_(table)
        reset(self.projection)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        tables = [
            unit_rows(project(x_dict[name], graph.modality[name]))
            for name, project in self.projection.items()
        ]
        content = torch.cat(tables, dim=1)
        user, item = self.collaborative(
            self.user_embedding.weight, content, self.drop_edge(graph.interactions)
        )
        return ModelOutput(user, item + self.similar(content, graph.similar))

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> PGLLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, rows = self.ranking(out, user, pos, neg)
        contrast = ranking.new_zeros(())
        if self.contrast_weight > 0:
            for x in rows[:2]:
                views = [dropout(x, self.dropout, self.training) for _ in range(2)]
                contrast = contrast + self.contrast(*views) / 2
        total = ranking + self.contrast_weight * contrast
        return PGLLosses(total, ranking, contrast)
