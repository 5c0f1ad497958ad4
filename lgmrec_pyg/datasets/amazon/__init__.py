r"""Amazon Baby, Sports and Clothing, from the raw files or ready-made ones."""

from lgmrec_pyg.datasets.amazon.conversion import convert_amazon
from lgmrec_pyg.datasets.amazon.multimodal import AmazonMultimodal

__all__ = ['AmazonMultimodal', 'convert_amazon']
