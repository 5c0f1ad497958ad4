from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.nn.inits import reset
from torch_geometric.nn.module_dict import ModuleDict

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.conv.edge_attention import EdgeAttention
from lgmrec_pyg.nn.fusion import LocalGlobalFusion
from lgmrec_pyg.nn.global_hypergraph import GlobalHypergraph
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss.hypergraph_contrast import HypergraphContrast
from lgmrec_pyg.nn.modality_encoder import ModalityEncoder
from lgmrec_pyg.nn.models.base import GraphRecommender, norms
from lgmrec_pyg.nn.models.output import ModelOutput
from lgmrec_pyg.ops import unit_rows


class SRGFormerLosses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    contrast: Tensor
    modality: Tensor
    reg: Tensor


class SRGFormer(GraphRecommender):
    r"""The SRGFormer model from the `"Structurally Refined Graph Transformer for
    Multimodal Recommendation" <https://arxiv.org/abs/2511.00584>`_ paper, which
    adds attention along interactions to the parts of :class:`LGMRec`,

    .. math::
        \mathbf{Z} = \mathbf{E}_{\mathrm{cge}} + \sum_m \mathrm{norm}(
        \mathbf{E}_{\mathrm{mge}, m}) + \alpha \, \mathrm{norm}(\mathrm{attend}(
        \mathbf{E}^{(0)})) + \beta \, \mathrm{norm} \Big( \sum_m \mathbf{G}_m \Big)

    with :class:`~lgmrec_pyg.nn.EdgeAttention` on ID embeddings. Training minimizes

    .. math::
        \mathcal{L} = \mathcal{L}_{\mathrm{BPR}} + \lambda_1 \sum_{m < m^{\prime}}
        \mathcal{L}_{\mathrm{HC}}(\mathbf{G}_m, \mathbf{G}_{m^{\prime}}) + \lambda_2
        \sum_{m < m^{\prime}} \mathcal{L}_{\mathrm{HC}}(\mathbf{E}_{\mathrm{mge}, m},
        \mathbf{E}_{\mathrm{mge}, m^{\prime}}) + \lambda_3 \mathcal{L}_{\mathrm{reg}}

    with :class:`~lgmrec_pyg.nn.HypergraphContrast`, summed over the batch, and the
    regularization of :class:`LGMRec`. The public code uses embeddings of size 256.
    Its users read from hyperedges by memberships that one modality overwrites for
    the other, and that stay logits there, and its evaluation draws noise anew for
    every batch of users; neither is reproduced here. Settings and equations are
    those of that code, for the paper's text could not be consulted.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        num_layers (int, optional): Layers of the ID embeddings.
            (default: :obj:`4`)
        num_modality_layers (int, optional): Layers of the modality embeddings.
            (default: :obj:`2`)
        num_hypergraph_layers (int, optional): Layers of the hypergraph.
            (default: :obj:`1`)
        num_hyperedges (int, optional): Hyperedges a modality. (default: :obj:`4`)
        heads (int, optional): The number of attention heads. (default: :obj:`4`)
        temperature (float, optional): The temperature of memberships and contrasts.
            (default: :obj:`0.2`)
        dropout (float, optional): The dropout of memberships. (default: :obj:`0.5`)
        alpha (float, optional): :math:`\alpha`. (default: :obj:`0.1`)
        beta (float, optional): :math:`\beta`. (default: :obj:`0.3`)
        contrast_weight (float, optional): :math:`\lambda_1`. (default: :obj:`1e-3`)
        modality_weight (float, optional): :math:`\lambda_2`. (default: :obj:`1e-6`)
        reg_weight (float, optional): :math:`\lambda_3`. (default: :obj:`1e-6`)
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
        num_layers: int = 4,
        num_modality_layers: int = 2,
        num_hypergraph_layers: int = 1,
        num_hyperedges: int = 4,
        heads: int = 4,
        temperature: float = 0.2,
        dropout: float = 0.5,
        alpha: float = 0.1,
        beta: float = 0.3,
        contrast_weight: float = 1e-3,
        modality_weight: float = 1e-6,
        reg_weight: float = 1e-6,
        ranking_loss: str = 'bpr',
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        self.alpha, self.beta = alpha, beta
        self.contrast_weight = contrast_weight
        self.modality_weight = modality_weight
        self.reg_weight = reg_weight
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.encoder = ModuleDict(
            {
                name: ModalityEncoder(dim, embedding_dim, num_hyperedges)
                for name, dim in feature_dims.items()
            }
        )
        self.collaborative = LocalPropagation(num_layers)
        self.modality = LocalPropagation(num_modality_layers, 'last')
        self.attention = EdgeAttention(embedding_dim, heads)
        self.hypergraph = GlobalHypergraph(num_hypergraph_layers, temperature, dropout)
        self.contrast = HypergraphContrast(temperature)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier uniform)."""
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        reset(self.encoder)
        reset(self.attention)

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> ModelOutput:
        self.check(x_dict, graph)
        ids = self.user_embedding.weight, self.item_embedding.weight
        interactions = graph.interactions
        collaborative = self.collaborative(*ids, interactions)
        local, hyper = [], []
        for name, encoder in self.encoder.items():
            modality = graph.modality[name]
            content = encoder(x_dict[name], modality, interactions)
            local.append(self.modality(content.user, content.item, interactions))
            logits = content.user_logits, content.item_logits
            hyper.append(self.hypergraph(collaborative[1], *logits, modality.described))
        attention = self.attention(*ids, interactions)
        out = []
        for side in (0, 1):
            total = LocalGlobalFusion.sum_modalities(tuple(x[side] for x in hyper))
            x = collaborative[side] + self.beta * unit_rows(total)
            x = x + self.alpha * unit_rows(attention[side])
            out.append(sum((unit_rows(y[side]) for y in local), x))
        views = {f'local {i}': x for i, x in enumerate(local)}
        views |= {f'hyper {i}': x for i, x in enumerate(hyper)}
        return ModelOutput(out[0], out[1], views)

    def loss(
        self, out: ModelOutput, user: Tensor, pos: Tensor, neg: Tensor
    ) -> SRGFormerLosses:
        r"""Computes the loss of a batch of triplets."""
        ranking, rows = self.ranking(out, user, pos, neg)
        reg = norms(*rows)
        terms = {'hyper': ranking.new_zeros(()), 'local': ranking.new_zeros(())}
        for kind in terms:
            for i, j in combinations(range(len(self.encoder)), 2):
                pairs = out.views[f'{kind} {i}'], out.views[f'{kind} {j}']
                for index, anchor, key in zip((user, pos), *pairs, strict=True):
                    terms[kind] = terms[kind] + self.contrast(anchor, key, index)
        contrast, modality = terms.values()
        total = ranking + self.contrast_weight * contrast + self.reg_weight * reg
        total = total + self.modality_weight * modality
        return SRGFormerLosses(total, ranking, contrast, modality, reg)
