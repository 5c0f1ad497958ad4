r"""The training loop: early stopping, best weights and the course of a run."""

from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.fit import Recommender, fit
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.step import CapturedStep, TrainingStep

__all__ = [
    'CapturedStep',
    'EarlyStopping',
    'History',
    'Recommender',
    'TrainingStep',
    'fit',
]
