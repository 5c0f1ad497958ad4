r"""Layers that pass messages."""

from lgmrec_pyg.nn.conv.bipartite_conv import BipartiteConv
from lgmrec_pyg.nn.conv.edge_attention import EdgeAttention
from lgmrec_pyg.nn.conv.soft_hypergraph_conv import SoftHypergraphConv, SparseMembership

__all__ = ['BipartiteConv', 'EdgeAttention', 'SoftHypergraphConv', 'SparseMembership']
