import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.degree_drop_edge import DegreeDropEdge
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.models.base import GraphRecommender
from lgmrec_pyg.nn.models.output import ModalityLosses, ModelOutput
from lgmrec_pyg.nn.similar_propagation import SimilarPropagation


class FREEDOM(GraphRecommender):
    r"""The FREEDOM model from the `"A Tale of Two Graphs: Freezing and Denoising
    Graph Structures for Multimodal Recommendation"
    <https://arxiv.org/abs/2211.06924>`_ paper.

    ID embeddings are propagated over the interactions, of which training drops
    most, and those of items over a frozen mixture of similarities besides,

    .. math::
        \mathbf{E} &= \mathrm{LightGCN}(\mathbf{E}^{(0)}), \qquad
        \mathbf{e}_i \leftarrow \mathbf{e}_i + \Big( \Big( \sum_m \omega_m
        \mathbf{S}_m \Big)^{L} \mathbf{E}^{(0)} \Big)_i

        \mathcal{L} &= \mathcal{L}_{\mathrm{BPR}}(\mathbf{e}_u, \mathbf{e}_p,
        \mathbf{e}_n) + \lambda \sum_m \mathcal{L}_{\mathrm{BPR}}(\mathbf{e}_u,
        \mathbf{f}_{m,p}, \mathbf{f}_{m,n}), \qquad \mathbf{f}_{m,i} =
        \mathbf{x}_{m,i} \mathbf{W}_m + \mathbf{b}_m.

    The graph needs uniform similarities,
    :obj:`SimilarItems(k=10, weight='uniform')`. Features are frozen here, and
    trained in the public code.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): Layers over interactions. (default: :obj:`2`)
        num_similar_layers (int, optional): The number :math:`L` of layers over
            similar items. (default: :obj:`1`)
        first_weight (float, optional): The weight :math:`\omega` of
            :obj:`"image"`, or of the first modality where there is none; the others
            share the rest. (default: :obj:`0.1`)
        drop_edge (float, optional): The share of interactions to drop, see
            :class:`~lgmrec_pyg.nn.DegreeDropEdge`. (default: :obj:`0.8`)
        modality_weight (float, optional): :math:`\lambda`.
            (default: :obj:`1e-3`)
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
        num_similar_layers: int = 1,
        first_weight: float = 0.1,
        drop_edge: float = 0.8,
        modality_weight: float = 1e-3,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.modality_weight = modality_weight
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.drop_edge = DegreeDropEdge(drop_edge)
        self.collaborative = LocalPropagation(num_layers)
        self.similar = SimilarPropagation(
            list(feature_dims), first_weight, num_similar_layers
        )
        self.projection = ModuleDict(
            {m: ItemProjection(dim, embedding_dim) for m, dim in feature_dims.items()}
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        reset(self.projection)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self.item_embedding.weight
        user, item = self.collaborative(
            self.user_embedding.weight, ids, self.drop_edge(graph.interactions)
        )
        item = item + self.similar(ids, graph.similar)
        return ModelOutput(user, item, inputs=(x_dict, graph))

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> ModalityLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, (users, _, _) = self.ranking(out, user, pos, neg)
        x_dict, graph = out.inputs
        modality = ranking.new_zeros(())
        if self.modality_weight > 0:
            for name, project in self.projection.items():
                item = project(x_dict[name], graph.modality[name])
                rows = F.embedding(pos, item), F.embedding(neg, item)
                modality = modality + self.bpr(users, *rows)
        total = ranking + self.modality_weight * modality
        return ModalityLosses(total, ranking, modality)
