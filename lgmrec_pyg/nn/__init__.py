from lgmrec_pyg.nn.conv import BipartiteConv, SoftHypergraphConv, SparseMembership
from lgmrec_pyg.nn.fusion import HypergraphEmbedding, LocalGlobalFusion, NodeEmbedding
from lgmrec_pyg.nn.global_hypergraph import GlobalHypergraph
from lgmrec_pyg.nn.hyperedge_membership import HyperedgeMembership
from lgmrec_pyg.nn.local_propagation import LocalPropagation
from lgmrec_pyg.nn.loss import BPRLoss, HypergraphContrast, SoftmaxLoss
from lgmrec_pyg.nn.modality_encoder import ModalityContent, ModalityEncoder
from lgmrec_pyg.nn.modality_projection import ModalityProjection
from lgmrec_pyg.nn.models import (
    PAPER,
    RECOMMENDED,
    LGMRec,
    LGMRecOutput,
    Losses,
    Preset,
)

__all__ = [
    'PAPER',
    'RECOMMENDED',
    'BPRLoss',
    'BipartiteConv',
    'GlobalHypergraph',
    'HyperedgeMembership',
    'HypergraphContrast',
    'HypergraphEmbedding',
    'LGMRec',
    'LGMRecOutput',
    'LocalGlobalFusion',
    'LocalPropagation',
    'Losses',
    'ModalityContent',
    'ModalityEncoder',
    'ModalityProjection',
    'NodeEmbedding',
    'Preset',
    'SoftHypergraphConv',
    'SoftmaxLoss',
    'SparseMembership',
]
