from lgmrec_pyg.nn.loss.bpr import BPRLoss
from lgmrec_pyg.nn.loss.hypergraph_contrast import HypergraphContrast

__all__ = ['BPRLoss', 'HypergraphContrast']
