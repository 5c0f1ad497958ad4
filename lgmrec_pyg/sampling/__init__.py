r"""Sampling of training examples."""

from lgmrec_pyg.sampling.triplet_sampler import TripletSampler

__all__ = classes = ['TripletSampler']
