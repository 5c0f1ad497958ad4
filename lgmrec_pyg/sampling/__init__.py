r"""Sampling of training examples."""

from .triplet_sampler import TripletSampler

__all__ = classes = ['TripletSampler']
