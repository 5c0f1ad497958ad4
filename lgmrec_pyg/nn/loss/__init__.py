from lgmrec_pyg.nn.loss.bpr import BPRLoss
from lgmrec_pyg.nn.loss.hypergraph_contrast import HypergraphContrast
from lgmrec_pyg.nn.loss.softmax import SoftmaxLoss

__all__ = ['BPRLoss', 'HypergraphContrast', 'SoftmaxLoss']
