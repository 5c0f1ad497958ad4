r"""Multimodal recommendation datasets, and graphs of any interactions."""

from lgmrec_pyg.datasets._download import DownloadError, download
from lgmrec_pyg.datasets.amazon import (
    AmazonMultimodal,
    convert_amazon,
    graph_from_amazon,
)
from lgmrec_pyg.datasets.feature_tables import load_item_features, save_item_features
from lgmrec_pyg.datasets.features import add_item_features, multi_hot
from lgmrec_pyg.datasets.interactions import graph_from_interactions
from lgmrec_pyg.datasets.layout import (
    Interactions,
    read_features,
    read_ids,
    read_interactions,
)
from lgmrec_pyg.datasets.mapped_features import map_item_features
from lgmrec_pyg.datasets.movielens import graph_from_movielens
from lgmrec_pyg.datasets.multimodal import MultimodalDataset
from lgmrec_pyg.datasets.ogb import allow_ogb_files, load_ogb, save_ogb
from lgmrec_pyg.datasets.recbole import graph_from_recbole
from lgmrec_pyg.datasets.splits import (
    k_core,
    leave_one_out_split,
    random_split,
    time_split,
)
from lgmrec_pyg.datasets.synthetic import SyntheticMultimodal
from lgmrec_pyg.datasets.yelp import graph_from_yelp

__all__ = [
    'AmazonMultimodal',
    'DownloadError',
    'Interactions',
    'MultimodalDataset',
    'SyntheticMultimodal',
    'add_item_features',
    'allow_ogb_files',
    'convert_amazon',
    'download',
    'graph_from_amazon',
    'graph_from_interactions',
    'graph_from_movielens',
    'graph_from_recbole',
    'graph_from_yelp',
    'k_core',
    'leave_one_out_split',
    'load_item_features',
    'load_ogb',
    'map_item_features',
    'multi_hot',
    'random_split',
    'read_features',
    'read_ids',
    'read_interactions',
    'save_item_features',
    'save_ogb',
    'time_split',
]
