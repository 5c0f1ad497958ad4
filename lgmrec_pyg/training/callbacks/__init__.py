r"""Loggers for :func:`~lgmrec_pyg.training.fit`, and what they are made of."""

from lgmrec_pyg.training.callbacks.logger import Logger
from lgmrec_pyg.training.callbacks.mlflow import MLflowLogger
from lgmrec_pyg.training.callbacks.tensorboard import TensorBoardLogger
from lgmrec_pyg.training.callbacks.wandb import WandbLogger

__all__ = ['Logger', 'MLflowLogger', 'TensorBoardLogger', 'WandbLogger']
