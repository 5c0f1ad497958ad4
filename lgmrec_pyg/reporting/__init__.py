r"""Tables, plots and records of training runs."""

from lgmrec_pyg.reporting.learning_curves import plot_learning_curves
from lgmrec_pyg.reporting.published import PUBLISHED, PublishedResult
from lgmrec_pyg.reporting.results_table import results_table
from lgmrec_pyg.reporting.run_record import (
    dataset_summary,
    peak_memory,
    save_json,
    versions,
)

__all__ = classes = [
    'PUBLISHED',
    'PublishedResult',
    'dataset_summary',
    'peak_memory',
    'plot_learning_curves',
    'results_table',
    'save_json',
    'versions',
]
