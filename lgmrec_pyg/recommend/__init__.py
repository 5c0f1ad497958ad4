r"""Recommendations from trained embeddings, in the ids of the data."""

from lgmrec_pyg.recommend.ann import ann_recall, ann_topk, build_index
from lgmrec_pyg.recommend.embeddings import Embeddings
from lgmrec_pyg.recommend.item_regression import ItemRegression
from lgmrec_pyg.recommend.new_nodes import embed_new_items, embed_new_users
from lgmrec_pyg.recommend.recommendations import Recommendations
from lgmrec_pyg.recommend.recommender import Recommender

__all__ = classes = [
    'Embeddings',
    'ItemRegression',
    'Recommendations',
    'Recommender',
    'ann_recall',
    'ann_topk',
    'build_index',
    'embed_new_items',
    'embed_new_users',
]
