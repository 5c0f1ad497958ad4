r"""LGMRec, the models that stand beside it, and their settings."""

from lgmrec_pyg.nn.models.base import GraphRecommender
from lgmrec_pyg.nn.models.bm3 import BM3
from lgmrec_pyg.nn.models.dgr import DGR
from lgmrec_pyg.nn.models.freedom import FREEDOM
from lgmrec_pyg.nn.models.gmgl import GMGL
from lgmrec_pyg.nn.models.lattice import LATTICE
from lgmrec_pyg.nn.models.learned_features import LearnedFeatures
from lgmrec_pyg.nn.models.lgmrec import LGMRec
from lgmrec_pyg.nn.models.lightgcn import LightGCN
from lgmrec_pyg.nn.models.mgcn import MGCN
from lgmrec_pyg.nn.models.mig_gt import MIGGT
from lgmrec_pyg.nn.models.output import LGMRecOutput, Losses, ModelOutput
from lgmrec_pyg.nn.models.pgl import PGL
from lgmrec_pyg.nn.models.presets import PAPER, RECOMMENDED, Preset
from lgmrec_pyg.nn.models.published import PUBLISHED
from lgmrec_pyg.nn.models.smore import SMORE
from lgmrec_pyg.nn.models.srgformer import SRGFormer
from lgmrec_pyg.nn.models.vbpr import VBPR

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
    'GraphRecommender',
    'LGMRec',
    'LGMRecOutput',
    'LearnedFeatures',
    'LightGCN',
    'Losses',
    'ModelOutput',
    'Preset',
    'SRGFormer',
]
