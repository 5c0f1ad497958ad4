r"""Features of items, by their ids."""

from lgmrec_pyg.datasets.features.files import load_item_features, save_item_features
from lgmrec_pyg.datasets.features.item_features import add_item_features
from lgmrec_pyg.datasets.features.multi_hot import multi_hot

__all__ = [
    'add_item_features',
    'load_item_features',
    'multi_hot',
    'save_item_features',
]
