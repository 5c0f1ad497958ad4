from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Parameter
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict
from torch_geometric.utils import scatter

from lgmrec_pyg.graph import BipartiteGraph, MultimodalGraph
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.models.base import GraphRecommender, half_squares
from lgmrec_pyg.nn.models.output import ModelOutput, RegularizedLosses
from lgmrec_pyg.ops import Adjacency, spmm, unit_rows
from lgmrec_pyg.transforms.similar_items import nearest_neighbors, normalize_similarity


class LATTICE(GraphRecommender):
    r"""The LATTICE model from the `"Mining Latent Structures for Multimedia
    Recommendation" <https://arxiv.org/abs/2104.09036>`_ paper.

    Similarities of projected features are learned beside those of raw ones,

    .. math::
        \mathbf{G} &= (1 - \lambda) \, \mathrm{norm} \Big( \sum_m \omega_m
        \mathrm{kNN}(\mathbf{X}_m \mathbf{W}_m + \mathbf{b}_m) \Big) + \lambda
        \sum_m \omega_m \mathbf{S}_m, \qquad \omega = \mathrm{softmax}(\mathbf{w})

        \mathbf{E} &= \frac{1}{L + 1} \sum_{l=0}^{L} \big( (\mathbf{D} +
        \mathbf{I})^{-1} (\mathbf{A} + \mathbf{I}) \big)^l \mathbf{E}^{(0)}, \qquad
        \mathbf{e}_i \leftarrow \mathbf{e}_i + \frac{(\mathbf{G} \mathbf{E}^{(0)})_i}
        {\Vert (\mathbf{G} \mathbf{E}^{(0)})_i \Vert}

    with cosines as weights of the :math:`k` nearest neighbors and
    :math:`\mathrm{norm}` by the roots of row sums of both ends. The loss is BPR plus
    half the squared norms of a batch. As in the public code, :math:`\mathbf{G}` is
    learned in the first step after a call of :meth:`train`, so once an epoch of
    :func:`~lgmrec_pyg.training.fit`, stays as it is for the others, and is built
    anew in evaluation; that code stores it densely, though, and trains raw
    features, which are frozen here. A captured step would never learn it.
    The graph needs similarities, :obj:`SimilarItems(k=10)`; weights of interactions do
    not count.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): The number :math:`L` of layers over interactions.
            (default: :obj:`2`)
        num_similar_layers (int, optional): Layers over similar items.
            (default: :obj:`1`)
        k (int, optional): The number of neighbors :math:`k`. (default: :obj:`10`)
        skip_weight (float, optional): :math:`\lambda`. (default: :obj:`0.9`)
        reg_weight (float, optional): The weight of the norms. (default: :obj:`1e-4`)
        ranking_loss (str, optional): :obj:`"bpr"` or :obj:`"softmax"`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
    """

    similar_items = 'SimilarItems(k=10)'

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        num_layers: int = 2,
        num_similar_layers: int = 1,
        k: int = 10,
        skip_weight: float = 0.9,
        reg_weight: float = 1e-4,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.num_similar_layers = num_similar_layers
        self.k = k
        self.skip_weight = skip_weight
        self.reg_weight = reg_weight
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.projection = ModuleDict(
            {m: ItemProjection(dim, embedding_dim) for m, dim in feature_dims.items()}
        )
        self.modality_weight = Parameter(torch.empty(len(feature_dims)))
        self.collaborative = _RandomWalk(num_layers)
        self._learned: tuple[MultimodalGraph, Adjacency] | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        torch.nn.init.constant_(self.modality_weight, 0.5)
        reset(self.projection)

    def train(self, mode: bool = True) -> 'LATTICE':
        r"""Also makes the next step learn the similarities anew."""
        self._learned = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), '_learned': None}

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        if self._learned is not None and self._learned[0] is graph:
            similar = self._learned[1]
        else:
            similar = self.similarity(x_dict, graph)
            if self.training and torch.is_grad_enabled():
                detached = [csr._replace(value=csr.value.detach()) for csr in similar]
                self._learned = graph, Adjacency(*detached)
        ids = self.user_embedding.weight, self.item_embedding.weight
        user, item = self.collaborative(*ids, graph.interactions)
        h = ids[1]
        for _ in range(self.num_similar_layers):
            h = spmm(similar, h)
        return ModelOutput(user, item + unit_rows(h))

    def similarity(
        self, x_dict: dict[str, Tensor], graph: MultimodalGraph
    ) -> Adjacency:
        r"""The learned similarities :math:`\mathbf{G}`."""
        weights = self.modality_weight.softmax(dim=0)
        index, value, frozen = [], [], []
        for w, (name, project) in zip(weights, self.projection.items(), strict=True):
            x = unit_rows(project(x_dict[name], graph.modality[name]))
            (j, i), _ = nearest_neighbors(x, self.k)
            index.append(torch.stack([j, i]))
            value.append(w * (x[i] * x[j]).sum(dim=1))
            csr = graph.similar[name].csr
            index.append(torch.stack([csr.col, csr.row]))
            frozen.append(w * csr.value.to(x.dtype))
        learned = normalize_similarity(
            torch.cat(value), torch.cat(index[::2], dim=1), self.num_items
        )
        edges = torch.cat([*index[::2], *index[1::2]], dim=1)
        weight = [
            (1 - self.skip_weight) * learned,
            self.skip_weight * torch.cat(frozen),
        ]
        key, number = (edges[1] * self.num_items + edges[0]).unique(return_inverse=True)
        edges = torch.stack([key % self.num_items, key // self.num_items])
        weight = scatter(torch.cat(weight), number, reduce='sum')
        return Adjacency.from_adj(edges, weight, (self.num_items, self.num_items))

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> RegularizedLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, rows = self.ranking(out, user, pos, neg)
        reg = half_squares(*rows)
        return RegularizedLosses(ranking + self.reg_weight * reg, ranking, reg)


class _RandomWalk(LocalPropagation):
    def step(
        self, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        out = []
        for adj, x, loop in (
            (graph.to_user, x_item, x_user),
            (graph.to_item, x_user, x_item),
        ):
            total = spmm(adj.unweighted(), x) + loop
            out.append(total / (adj.degree.to(x.dtype).view(-1, 1) + 1))
        return out[0], out[1]
