r"""Training with early stopping."""

from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.fit import Recommender, fit
from lgmrec_pyg.training.history import History

__all__ = classes = ['EarlyStopping', 'History', 'Recommender', 'fit']
