r"""Tables, plots and records of training runs."""

from lgmrec_pyg.reporting.catalogue import Catalogue, Entry
from lgmrec_pyg.reporting.learning_curves import plot_learning_curves
from lgmrec_pyg.reporting.page import report
from lgmrec_pyg.reporting.presets import find_preset
from lgmrec_pyg.reporting.published import PUBLISHED, PublishedResult
from lgmrec_pyg.reporting.results_table import results_table
from lgmrec_pyg.reporting.run import Run
from lgmrec_pyg.reporting.run_record import (
    dataset_summary,
    peak_memory,
    run_record,
    save_json,
    versions,
)

__all__ = classes = [
    'PUBLISHED',
    'Catalogue',
    'Entry',
    'PublishedResult',
    'Run',
    'dataset_summary',
    'find_preset',
    'peak_memory',
    'plot_learning_curves',
    'report',
    'results_table',
    'run_record',
    'save_json',
    'versions',
]
