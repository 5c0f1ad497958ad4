r"""LGMRec: local and global graph learning for multimodal recommendation."""

__version__ = '0.1.0'

from lgmrec_pyg.datasets import (
    MultimodalDataset,
    SyntheticMultimodal,
    graph_from_interactions,
)
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import PAPER, RECOMMENDED, LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import load_model, save_model
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import StandardizeFeatures

__all__ = [
    'PAPER',
    'RECOMMENDED',
    'Evaluator',
    'LGMRec',
    'MultimodalDataset',
    'Recommender',
    'StandardizeFeatures',
    'SyntheticMultimodal',
    'TripletSampler',
    'fit',
    'graph_from_interactions',
    'load_model',
    'model_inputs',
    'save_model',
]
