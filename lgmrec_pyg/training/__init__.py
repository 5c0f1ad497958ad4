r"""The training loop: early stopping, best weights and the course of a run."""

from lgmrec_pyg.training.allocation import keep_freed_memory
from lgmrec_pyg.training.checkpoint import Checkpoint
from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.fit import fit
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.recommender import Recommender
from lgmrec_pyg.training.step import CapturedStep, TrainingStep

__all__ = [
    'CapturedStep',
    'Checkpoint',
    'EarlyStopping',
    'History',
    'Recommender',
    'TrainingStep',
    'fit',
    'keep_freed_memory',
]
