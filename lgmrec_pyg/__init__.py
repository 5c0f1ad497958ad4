r"""LGMRec: local and global graph learning for multimodal recommendation."""

__version__ = '0.1.0'
