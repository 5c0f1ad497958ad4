r"""Reviews of Amazon: Baby, Sports and Clothing as in the paper, or any category."""

from lgmrec_pyg.datasets.amazon.conversion import convert_amazon
from lgmrec_pyg.datasets.amazon.multimodal import AmazonMultimodal
from lgmrec_pyg.datasets.amazon.reviews import graph_from_amazon

__all__ = ['AmazonMultimodal', 'convert_amazon', 'graph_from_amazon']
