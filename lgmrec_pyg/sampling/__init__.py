r"""Sampling of training examples."""

from lgmrec_pyg.sampling.negative_sampler import NegativeSampler
from lgmrec_pyg.sampling.subgraph_sampler import SubgraphSampler
from lgmrec_pyg.sampling.triplet_sampler import TripletSampler

__all__ = classes = ['NegativeSampler', 'SubgraphSampler', 'TripletSampler']
