r"""Encoders of raw content, such as texts and images, into features."""

from lgmrec_pyg.encoders._encode import encode
from lgmrec_pyg.encoders.cache import EmbeddingCache
from lgmrec_pyg.encoders.image import ImageEncoder
from lgmrec_pyg.encoders.sentence import SentenceEncoder

__all__ = ['EmbeddingCache', 'ImageEncoder', 'SentenceEncoder', 'encode']
