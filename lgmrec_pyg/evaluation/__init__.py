r"""Evaluation by full ranking."""

from lgmrec_pyg.evaluation.evaluator import Evaluator
from lgmrec_pyg.evaluation.topk import topk

__all__ = classes = ['Evaluator', 'topk']
