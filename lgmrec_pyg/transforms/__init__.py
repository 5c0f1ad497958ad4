r"""Transforms of the multimodal interaction graph."""

from lgmrec_pyg.transforms.degree_norm import DegreeNorm
from lgmrec_pyg.transforms.for_sampling import ForSampling
from lgmrec_pyg.transforms.random_projection import RandomProjection
from lgmrec_pyg.transforms.remove_missing import RemoveMissing
from lgmrec_pyg.transforms.similar_items import SimilarItems
from lgmrec_pyg.transforms.standardize_features import StandardizeFeatures
from lgmrec_pyg.transforms.to_adjacency import ToAdjacency

__all__ = [
    'DegreeNorm',
    'ForSampling',
    'RandomProjection',
    'RemoveMissing',
    'SimilarItems',
    'StandardizeFeatures',
    'ToAdjacency',
]
