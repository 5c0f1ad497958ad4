from typing import Any

from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.trainable import Callback


class Logger(Callback):
    r"""Writes the loss terms of every epoch, and the metrics of every evaluation, as
    soon as they are there. A subclass says where to, in :meth:`write`, and may extend
    the methods of :class:`~lgmrec_pyg.training.Callback`. A run that is resumed goes
    on from its checkpoint: epochs after it, and an evaluation that came after the last
    epoch, are written once more.

    .. code-block:: python

        class PrintLogger(Logger):
            def write(self, values, epoch):
                print(epoch, values)

    Args:
        settings (Dict[str, Any], optional): What to note about the run, *e.g.*,
            :obj:`model.settings`. (default: :obj:`None`)
    """

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self.settings = dict(settings or {})
        self._num_metrics = 0

    def write(self, values: dict[str, float], epoch: int) -> None:
        r"""Writes values of an epoch.

        Args:
            values (Dict[str, float]): The values by their names, such as
                :obj:`"loss/total"` and :obj:`"val/Recall@20"`.
            epoch (int): The epoch, counted from one.
        """
        raise NotImplementedError

    def on_fit_start(self, history: History) -> None:
        r"""Skips what a resumed run has logged before."""
        self._num_metrics = len(history.metrics)

    def on_epoch_end(self, history: History) -> None:
        r"""Writes the losses of an epoch, and its metrics if it was evaluated."""
        values = {f'loss/{name}': x for name, x in history.losses[-1].items()}
        values['seconds/train'] = history.train_seconds[-1]
        self.write(values, history.epochs_run)
        self._write_metrics(history)

    def on_fit_end(self, history: History) -> None:
        r"""Writes the metrics of an evaluation that came after the last epoch."""
        self._write_metrics(history)

    def _write_metrics(self, history: History) -> None:
        for i in range(self._num_metrics, len(history.metrics)):
            values = {f'val/{name}': x for name, x in history.metrics[i].items()}
            values['seconds/eval'] = history.eval_seconds[i]
            self.write(values, history.eval_epochs[i])
        self._num_metrics = len(history.metrics)
