r"""Training with early stopping."""

from .early_stopping import EarlyStopping
from .fit import Recommender, fit
from .history import History

__all__ = classes = ['EarlyStopping', 'History', 'Recommender', 'fit']
