r"""Transforms of the multimodal interaction graph."""

from .degree_norm import DegreeNorm
from .standardize_features import StandardizeFeatures
from .to_adjacency import ToAdjacency

__all__ = ['DegreeNorm', 'StandardizeFeatures', 'ToAdjacency']
