r"""Multimodal recommendation datasets."""

from .amazon import AmazonMultimodal
from .layout import Interactions, read_features, read_interactions
from .multimodal import MultimodalDataset
from .synthetic import SyntheticMultimodal

__all__ = [
    'AmazonMultimodal',
    'Interactions',
    'MultimodalDataset',
    'SyntheticMultimodal',
    'read_features',
    'read_interactions',
]
