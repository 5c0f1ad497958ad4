r"""Graphs in the format of the Open Graph Benchmark."""

from lgmrec_pyg.datasets.ogb.load import load_ogb
from lgmrec_pyg.datasets.ogb.package import allow_ogb_files
from lgmrec_pyg.datasets.ogb.save import save_ogb

__all__ = ['allow_ogb_files', 'load_ogb', 'save_ogb']
