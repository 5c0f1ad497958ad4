r"""Losses, each a scalar."""

from lgmrec_pyg.nn.loss.batch_contrast import BatchContrast
from lgmrec_pyg.nn.loss.bootstrap import BootstrapLoss
from lgmrec_pyg.nn.loss.bpr import BPRLoss
from lgmrec_pyg.nn.loss.hypergraph_contrast import HypergraphContrast
from lgmrec_pyg.nn.loss.local_correction import LocalCorrection
from lgmrec_pyg.nn.loss.sampled_infonce import sampled_infonce
from lgmrec_pyg.nn.loss.softmax import SoftmaxLoss

__all__ = [
    'BPRLoss',
    'BatchContrast',
    'BootstrapLoss',
    'HypergraphContrast',
    'LocalCorrection',
    'SoftmaxLoss',
    'sampled_infonce',
]
