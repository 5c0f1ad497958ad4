from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Module
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict
from torch_geometric.typing import Adj, EdgeType

from lgmrec_pyg.graph import (
    ITEM,
    USER,
    MultimodalGraph,
    SampledNodes,
)
from lgmrec_pyg.nn.fusion import (
    HypergraphEmbedding,
    LocalGlobalFusion,
    NodeEmbedding,
)
from lgmrec_pyg.nn.global_hypergraph import GlobalHypergraph
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss.hypergraph_contrast import HypergraphContrast
from lgmrec_pyg.nn.modality_encoder import ModalityEncoder
from lgmrec_pyg.nn.models.base import GraphRecommender, norms
from lgmrec_pyg.nn.models.output import LGMRecOutput, Losses, check_triplets
from lgmrec_pyg.nn.new_items import NewItems
from lgmrec_pyg.nn.similar_propagation import SimilarPropagation
from lgmrec_pyg.ops import unit_rows
from lgmrec_pyg.ops.parallel import lookup

# Of users and items.
Local = tuple[Tensor, Tensor]
Global = tuple[HypergraphEmbedding, HypergraphEmbedding]
PARTS = ('collaborative', 'modality', 'hypergraph')
CHUNK_ROWS = 2**16  # To fuse at once for an evaluation.


class LGMRec(GraphRecommender):
    r"""The LGMRec model from the `"LGMRec: Local and Global Graph Learning for
    Multimodal Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    The score of user :math:`u` and item :math:`i` is the inner product of their
    embeddings, each a fusion of three parts,

    .. math::
        \mathbf{E} = \mathbf{E}_{\mathrm{cge}} + \sum_{m} \mathrm{norm}(
        \mathbf{E}_{\mathrm{mge}, m}) + \alpha \, \mathrm{norm} \Big( \sum_m
        \mathbf{G}_m \Big),

    namely ID embeddings propagated over the interactions (*collaborative*),
    projected features of every modality propagated over the interactions on
    their own (*modality*), and collaborative item embeddings passed through
    hyperedges that the features of a modality define (*hypergraph*). Training
    minimizes

    .. math::
        \mathcal{L} = \mathcal{L}_{\mathrm{BPR}} + \lambda_1
        \mathcal{L}_{\mathrm{HCL}} + \lambda_2 \frac{\Vert \mathbf{E}_u \Vert_F +
        \Vert \mathbf{E}_p \Vert_F + \Vert \mathbf{E}_n \Vert_F}{B}.

    Any number of modalities works, none included, and items may lack some: the
    features of several nodes of a modality are averaged; an item without any
    has no modality embedding and no hyperedges there, and does not count in the
    averages of its users. In evaluation, embeddings are deterministic.

    A batch of a neighbor sampler, see :class:`~lgmrec_pyg.sampling.SubgraphSampler`,
    is an input like the whole graph: only the rows of its nodes are read from the
    embedding tables, and receive (sparse) gradients; sums over neighbors, over the
    items of a hyperedge and over the keys of a softmax or contrast are estimates,
    the first two of them unbiased.

    Args:
        num_users (int): The number of users :math:`|\mathcal{U}|`.
        num_items (int): The number of items :math:`|\mathcal{I}|`.
        feature_dims (Dict[str, int]): The feature width :math:`d_m` of every
            modality. Of every two, the former is the anchor of the contrast.
        embedding_dim (int, optional): The embedding size :math:`d`.
            (default: :obj:`64`)
        num_collaborative_layers (int, optional): Layers of the ID embeddings.
            (default: :obj:`2`)
        num_modality_layers (int, optional): Layers of the modality embeddings.
            (default: :obj:`2`)
        num_hypergraph_layers (int, optional): Layers of the hypergraph.
            (default: :obj:`1`)
        num_hyperedges (int, optional): The number :math:`K` of hyperedges a
            modality. (default: :obj:`4`)
        temperature (float, optional): The temperature of memberships and of the
            contrast. (default: :obj:`0.2`)
        dropout (float, optional): The dropout of memberships.
            (default: :obj:`0.5`)
        alpha (float, optional): The weight of the hypergraph embedding.
            (default: :obj:`0.3`)
        contrast_weight (float, optional): :math:`\lambda_1`; on a sum over the
            batch, so tied to its size. (default: :obj:`1e-4`)
        reg_weight (float, optional): :math:`\lambda_2`. (default: :obj:`1e-6`)
        parts (Sequence[str], optional): The embeddings to fuse, the paper's
            ablations: leave out :obj:`"modality"` or :obj:`"hypergraph"`
            (global), or keep only :obj:`"hypergraph"` (no local).
            (default: :obj:`("collaborative", "modality", "hypergraph")`)
        shared_ids (bool, optional): If set to :obj:`True`, users enter the
            modality propagation by their ID embeddings, the coupling that the
            paper argues against. (default: :obj:`False`)
        noise (str, optional): The noise of memberships, see
            :class:`~lgmrec_pyg.nn.HyperedgeMembership`.
            (default: :obj:`"gumbel"`)
        noisy_eval (bool, optional): If set to :obj:`True`, memberships stay
            random in evaluation. (default: :obj:`False`)
        user_logits (str, optional): The membership logits of users are the
            :obj:`"sum"` (paper) or :obj:`"mean"` of those of their items.
            (default: :obj:`"sum"`)
        normalize_hypergraph (bool, optional): Use means by membership, see
            :class:`~lgmrec_pyg.nn.SoftHypergraphConv`.
            (default: :obj:`False`)
        ranking_loss (str, optional): :obj:`"bpr"`, as in the paper, or
            :obj:`"softmax"`, which holds users against all items at once and
            ranks by cosines, see :class:`~lgmrec_pyg.nn.SoftmaxLoss`.
            (default: :obj:`"bpr"`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)
        fusion (str, optional): :obj:`"sum"`, as in the paper, or :obj:`"concat"`:
            every modality has user embeddings of its own, its projected features
            are of unit length and propagated like IDs, and all embeddings stand side
            by side, see :class:`~lgmrec_pyg.nn.LocalGlobalFusion`.
            (default: :obj:`"sum"`)
        similar_weight (float, optional): How much of the embeddings of similar items,
            before propagation, to add to those of an item, for graphs with
            :class:`~lgmrec_pyg.transforms.SimilarItems`; the mean over modalities.
            (default: :obj:`0.0`)
        new_item_rate (float, optional): If positive, items without interactions are
            embedded by their features and similar items alone, and are no negatives
            of a softmax; and so is, in every step of training, this share of all
            others, see :class:`~lgmrec_pyg.nn.NewItems`. (default: :obj:`0.0`)
        contrast (Module, optional): Replaces
            :class:`~lgmrec_pyg.nn.HypergraphContrast`. (default: :obj:`None`)

    Raises:
        ValueError: If a size is not positive or a part unknown.
    """

    needs_modalities = False
    takes_parts = True
    shared_by = ('batch', 'columns', 'rows')

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
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
        parts: Sequence[str] = PARTS,
        shared_ids: bool = False,
        noise: str | None = 'gumbel',
        noisy_eval: bool = False,
        user_logits: str = 'sum',
        normalize_hypergraph: bool = False,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
        fusion: str = 'sum',
        similar_weight: float = 0.0,
        new_item_rate: float = 0.0,
        contrast: Module | None = None,
    ) -> None:
        super().__init__(locals())
        del self.settings['contrast']  # A module is no setting.
        if num_hyperedges < 1:
            raise ValueError(
                f"'num_hyperedges' needs to be positive (got {num_hyperedges})"
            )
        if not parts or not set(parts) <= set(PARTS):
            raise ValueError(f"'parts' needs to be some of {PARTS} (got {parts})")
        self.parts = tuple(parts)
        self.shared_ids = shared_ids
        self.contrast_weight = contrast_weight
        self.reg_weight = reg_weight
        self.similar_weight = similar_weight if self.feature_dims else 0.0
        concat = fusion == 'concat'

        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.encoder = ModuleDict(
            {
                name: ModalityEncoder(dim, embedding_dim, num_hyperedges, user_logits)
                for name, dim in self.feature_dims.items()
            }
        )
        own = self.encoder if concat and not shared_ids else {}
        self.modality_user = ModuleDict(
            {name: Embedding(num_users, embedding_dim) for name in own}
        )
        self.collaborative = LocalPropagation(num_collaborative_layers, 'mean')
        readout = 'mean' if concat else 'last'
        self.modality = LocalPropagation(num_modality_layers, readout)
        if self.similar_weight:
            self.similar = SimilarPropagation([*feature_dims], 1 / len(feature_dims))
            self.similar_items = 'SimilarItems(k=10)'
        self.new_items = NewItems(new_item_rate)
        self.hypergraph = GlobalHypergraph(
            num_hypergraph_layers,
            temperature,
            dropout,
            noise,
            noisy_eval,
            normalize_hypergraph,
        )
        self.fusion = LocalGlobalFusion(alpha, 'collaborative' in self.parts, fusion)
        self.contrast = (
            HypergraphContrast(temperature) if contrast is None else contrast
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier uniform)."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        for table in self.modality_user.values():
            torch.nn.init.xavier_uniform_(table.weight)
        reset(self.encoder)
        reset(self.contrast)

    def forward(  # type: ignore[override]  # Its parts are fused later.
        self,
        x_dict: dict[str, Tensor],
        graph: MultimodalGraph | dict[EdgeType, Adj],
        weight_dict: dict[EdgeType, Tensor] | None = None,
    ) -> LGMRecOutput:
        r"""Computes the embeddings of all users and items, or of the seeds of a
        batch of a neighbor sampler.

        Args:
            x_dict (Dict[str, torch.Tensor]): The features of every modality, of
                shape :math:`(N_m, d_m)`.
            graph (MultimodalGraph or Dict[Tuple[str, str, str], Adj]): The edges,
                as :func:`~lgmrec_pyg.graph.model_inputs` compresses them once, or
                as PyG collects them from a whole graph, *e.g.*,
                :obj:`data.adj_t_dict` or :obj:`data.edge_index_dict`, to be
                compressed in every call.
                Interactions without weights are normalized symmetrically;
                weights are used as they are.
            weight_dict (Dict[Tuple[str, str, str], torch.Tensor], optional):
                Weights of edge indices. (default: :obj:`None`)
        """
        if not isinstance(graph, MultimodalGraph):
            self.refuse_part(x_dict)
            num_nodes = {USER: self.num_users, ITEM: self.num_items}
            num_nodes |= {name: x.size(0) for name, x in x_dict.items()}
            dtype = self.user_embedding.weight.dtype
            graph = MultimodalGraph.from_dict(graph, weight_dict, num_nodes, dtype)
        self.check(x_dict, graph)
        users, items = graph.nodes.get(USER), graph.nodes.get(ITEM)
        user_id = self.rows(self.user_embedding, users)
        item_id = self.rows(self.item_embedding, items)
        known = self.new_items(graph) if self.new_items.rate > 0 else None
        own_id = item_id if known is None else item_id * known
        e_user, e_item = self._propagate(
            self.collaborative, user_id, item_id, own_id, graph, known
        )
        local: list[Local] = []
        hyper: list[Global] = []
        for name in self.feature_dims:
            x = x_dict[name]
            near, far = self._views(name, x, user_id, e_item, graph, known)
            local += near
            hyper += far
        user, item = (
            NodeEmbedding(e, tuple(v[i] for v in local), tuple(v[i] for v in hyper))
            for i, e in enumerate((e_user, e_item))
        )
        return LGMRecOutput(
            user,
            item,
            None if users is None else users.weight,
            None if items is None else items.weight,
            None if known is None else _seeds(graph.item_degree > 0, items),
        )

    def _propagate(
        self,
        propagation: LocalPropagation,
        user: Tensor,
        item: Tensor,
        own: Tensor,
        graph: MultimodalGraph,
        known: Tensor | None,
    ) -> Local:
        r"""Propagates over the interactions; new items as if they had none, and all
        with those similar to them, by what each has of its own.
        """
        user, item = propagation(user, item, graph.interactions)
        if known is not None:
            item = torch.where(known, item, propagation.isolated(own))
        if self.similar_weight:
            item = item + self.similar_weight * self.similar(own, graph.similar)
        return _seeds(user, graph.nodes.get(USER)), _seeds(item, graph.nodes.get(ITEM))

    def _views(
        self,
        name: str,
        x: Tensor,
        user_id: Tensor,
        e_item: Tensor,
        graph: MultimodalGraph,
        known: Tensor | None,
    ) -> tuple[list[Local], list[Global]]:
        r"""The local and the global embeddings by one modality, none of them if they
        are no part of the model.
        """
        users, items = graph.nodes.get(USER), graph.nodes.get(ITEM)
        modality = graph.modality[name]
        lift = 'hypergraph' in self.parts or self._lifts
        content = self.encoder[name](x, modality, graph.interactions, lift)
        hyper = []
        if 'hypergraph' in self.parts:
            user, item = content.user_logits, content.item_logits
            logits = _seeds(user, users), _seeds(item, items)
            sample = None if items is None else items.weight
            described = _seeds(modality.described, items)
            hyper = [self.hypergraph(e_item, *logits, described, sample)]
        if 'modality' not in self.parts:
            return [], hyper
        user, item = user_id if self.shared_ids else content.user, content.item
        del content  # Logits of a large graph take much memory while it propagates.
        if name in self.modality_user:
            user = self.rows(self.modality_user[name], users)
        if self.fusion.mode == 'concat':
            item = unit_rows(item)
        return [self._propagate(self.modality, user, item, item, graph, known)], hyper

    @property
    def _lifts(self) -> bool:  # Whether users enter propagation by their items.
        return not (self.shared_ids or self.modality_user)

    @property
    def num_hops(self) -> int:
        r"""The number of hops that a part of a graph needs to have around its seeds."""
        local = self.modality.num_layers + self._lifts
        local = local if self.encoder and 'modality' in self.parts else 0
        return max(self.collaborative.num_layers, local, bool(self.encoder))

    @staticmethod
    def rows(table: Embedding, nodes: SampledNodes | None) -> Tensor:
        r"""The rows of the nodes of a graph. Those of a part of one receive sparse
        gradients.
        """
        if nodes is None:
            return table.weight
        return F.embedding(nodes.n_id, table.weight, sparse=True)

    def loss(self, out: LGMRecOutput, user: Tensor, pos: Tensor, neg: Tensor) -> Losses:
        r"""Computes the loss of a batch of triplets, fusing only the rows it
        needs.

        Args:
            out (LGMRecOutput): The output of :meth:`forward`.
            user (torch.Tensor): Users of shape :math:`(B)`; rows of the part, if
                :obj:`out` is of one.
            pos (torch.Tensor): An item of every user, of shape :math:`(B)`.
            neg (torch.Tensor): Items the users have not interacted with, of
                shape :math:`(B)`.
        """
        check_triplets(user, pos, neg)
        users = self.fusion(out.user.select(user))
        if self.ranks_by_cosine:
            items = self.fusion(out.item)
            positives, negatives = lookup(items, pos), lookup(items, neg)
            choice = out.item_weight, out.candidates
            ranking = self.softmax(users, items, pos, *choice)
        else:
            items = self.fusion(out.item.select(torch.stack([pos, neg])))
            positives, negatives = items.chunk(2)
            ranking = self.bpr(users, positives, negatives)
        reg = norms(users, positives, negatives)
        contrast = ranking.new_zeros(())
        for node, index, weight in (
            (out.user, user, out.user_weight),
            (out.item, pos, out.item_weight),
        ):
            sample = () if weight is None else (weight,)
            for anchor, key in combinations(node.hypergraph, 2):
                contrast = contrast + self.contrast(anchor, key, index, *sample)
        total = ranking + self.contrast_weight * contrast + self.reg_weight * reg
        return Losses(total, ranking, contrast, reg)

    def embed(self, *args: Any) -> tuple[Tensor, Tensor]:
        r"""Computes the final embeddings of all users and items, whose inner
        products are the scores, from the arguments of :meth:`forward`.
        """
        out = self(*args)
        return self._final(out.user), self._final(out.item)

    def _final(self, node: NodeEmbedding) -> Tensor:
        size = node.collaborative.size(0)
        if size > CHUNK_ROWS and not torch.is_grad_enabled():
            first = self._final(node.part(slice(CHUNK_ROWS)))
            final = first.new_empty(size, first.size(1))
            final[:CHUNK_ROWS] = first
            for start in range(CHUNK_ROWS, size, CHUNK_ROWS):
                rows = slice(start, start + CHUNK_ROWS)
                final[rows] = self._final(node.part(rows))
            return final
        out = self.fusion(node)
        return unit_rows(out) if self.ranks_by_cosine else out

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_users}, {self.num_items}, '
            f'{self.feature_dims}, embedding_dim={self.user_embedding.embedding_dim})'
        )


def _seeds(x: Tensor, nodes: SampledNodes | None) -> Tensor:
    return x if nodes is None else x[: nodes.weight.numel()]
