r"""Multimodal recommendation datasets."""

from lgmrec_pyg.datasets.amazon import AmazonMultimodal
from lgmrec_pyg.datasets.layout import Interactions, read_features, read_interactions
from lgmrec_pyg.datasets.multimodal import MultimodalDataset
from lgmrec_pyg.datasets.synthetic import SyntheticMultimodal

__all__ = [
    'AmazonMultimodal',
    'Interactions',
    'MultimodalDataset',
    'SyntheticMultimodal',
    'read_features',
    'read_interactions',
]
