r"""Any interactions to a graph: tables, filters, cores and splits."""

from lgmrec_pyg.datasets.interactions.graph import graph_from_interactions
from lgmrec_pyg.datasets.interactions.k_core import k_core
from lgmrec_pyg.datasets.interactions.splits import (
    leave_one_out_split,
    random_split,
    time_split,
)

__all__ = [
    'graph_from_interactions',
    'k_core',
    'leave_one_out_split',
    'random_split',
    'time_split',
]
