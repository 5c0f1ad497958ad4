r"""The training loop: early stopping, best weights and the course of a run."""

from lgmrec_pyg.training._fit import fit
from lgmrec_pyg.training.callbacks import (
    Logger,
    MLflowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.optimizer import RowAdam
from lgmrec_pyg.training.step import TrainingStep, keep_freed_memory
from lgmrec_pyg.training.trainable import Callback, StopTraining, Trainable

__all__ = [
    'Callback',
    'EarlyStopping',
    'History',
    'Logger',
    'MLflowLogger',
    'RowAdam',
    'StopTraining',
    'TensorBoardLogger',
    'Trainable',
    'TrainingStep',
    'WandbLogger',
    'fit',
    'keep_freed_memory',
]
