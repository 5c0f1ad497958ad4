r"""Layers, losses and models, each usable on its own."""

from lgmrec_pyg.nn.attentive_fusion import AttentiveFusion
from lgmrec_pyg.nn.conv import (
    BipartiteConv,
    EdgeAttention,
    SoftHypergraphConv,
    SparseMembership,
)
from lgmrec_pyg.nn.degree_drop_edge import DegreeDropEdge
from lgmrec_pyg.nn.desmoothed_propagation import DesmoothedPropagation
from lgmrec_pyg.nn.fusion import HypergraphEmbedding, LocalGlobalFusion, NodeEmbedding
from lgmrec_pyg.nn.global_hypergraph import GlobalHypergraph
from lgmrec_pyg.nn.hyperedge_membership import HyperedgeMembership
from lgmrec_pyg.nn.item_projection import ItemProjection
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss import (
    BatchContrast,
    BootstrapLoss,
    BPRLoss,
    HypergraphContrast,
    LocalCorrection,
    SoftmaxLoss,
)
from lgmrec_pyg.nn.modality_encoder import ModalityContent, ModalityEncoder
from lgmrec_pyg.nn.modality_projection import ModalityProjection
from lgmrec_pyg.nn.models import (
    BM3,
    DGR,
    FREEDOM,
    GMGL,
    LATTICE,
    MGCN,
    MIGGT,
    PAPER,
    PGL,
    PUBLISHED,
    RECOMMENDED,
    SMORE,
    VBPR,
    GraphRecommender,
    LearnedFeatures,
    LGMRec,
    LGMRecOutput,
    LightGCN,
    Losses,
    ModelOutput,
    Preset,
    SRGFormer,
)
from lgmrec_pyg.nn.new_items import NewItems
from lgmrec_pyg.nn.sampled_attention import SampledAttention
from lgmrec_pyg.nn.similar_propagation import SimilarPropagation
from lgmrec_pyg.nn.spectral_filter import SpectralFilter
from lgmrec_pyg.nn.teleport_propagation import TeleportPropagation

__all__ = [
    'BM3',
    'DGR',
    'FREEDOM',
    'GMGL',
    'LATTICE',
    'MGCN',
    'MIGGT',
    'PAPER',
    'PGL',
    'PUBLISHED',
    'RECOMMENDED',
    'SMORE',
    'VBPR',
    'AttentiveFusion',
    'BPRLoss',
    'BatchContrast',
    'BipartiteConv',
    'BootstrapLoss',
    'DegreeDropEdge',
    'DesmoothedPropagation',
    'EdgeAttention',
    'GlobalHypergraph',
    'GraphRecommender',
    'HyperedgeMembership',
    'HypergraphContrast',
    'HypergraphEmbedding',
    'ItemProjection',
    'LGMRec',
    'LGMRecOutput',
    'LearnedFeatures',
    'LightGCN',
    'LocalCorrection',
    'LocalGlobalFusion',
    'LocalPropagation',
    'Losses',
    'ModalityContent',
    'ModalityEncoder',
    'ModalityProjection',
    'ModelOutput',
    'NewItems',
    'NodeEmbedding',
    'Preset',
    'SRGFormer',
    'SampledAttention',
    'SimilarPropagation',
    'SoftHypergraphConv',
    'SoftmaxLoss',
    'SparseMembership',
    'SpectralFilter',
    'TeleportPropagation',
]
