r"""Evaluation by full ranking."""

from .evaluator import Evaluator
from .topk import topk

__all__ = classes = ['Evaluator', 'topk']
