r"""Answers over HTTP: the recommendations of a saved run, and of the runs after it."""

from lgmrec_pyg.serving.app import create_app
from lgmrec_pyg.serving.server import serve

__all__ = classes = ['create_app', 'serve']
