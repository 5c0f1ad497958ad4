from typing import Any

from lgmrec_pyg.training.callbacks.logger import Logger
from lgmrec_pyg.training.history import History


class WandbLogger(Logger):
    r"""Logs a run to `Weights & Biases <https://wandb.ai>`_.

    .. code-block:: python

        logger = WandbLogger(model.settings, project='baby', mode='offline')
        fit(model, data, callbacks=[logger])

    Args:
        settings (Dict[str, Any], optional): See :class:`Logger`; they become the
            configuration of the run. (default: :obj:`None`)
        **kwargs (optional): Arguments of :obj:`wandb.init`, such as :obj:`project`,
            :obj:`name` or :obj:`mode`.

    Raises:
        ImportError: If :obj:`wandb` is not installed.
    """

    def __init__(self, settings: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(settings)
        try:
            import wandb
        except ImportError as error:
            raise ImportError("'WandbLogger' needs wandb: pip install wandb") from error
        self._init, self._kwargs = wandb.init, kwargs

    def on_fit_start(self, history: History) -> None:
        r"""Starts the run."""
        super().on_fit_start(history)
        self.run = self._init(config=self.settings, **self._kwargs)
        # Values of an epoch come in two parts, and perhaps once more in the end.
        self.run.define_metric('epoch')
        self.run.define_metric('*', step_metric='epoch')

    def write(self, values: dict[str, float], epoch: int) -> None:
        r"""Logs all values."""
        self.run.log({'epoch': epoch, **values})

    def on_fit_end(self, history: History) -> None:
        r"""Sums the run up, and finishes it."""
        super().on_fit_end(history)
        best = {f'best/{name}': x for name, x in history.best_metrics.items()}
        best['best/epoch'] = history.best_epoch
        self.run.summary.update({**best, 'stopped_by': history.stopped_by})
        self.run.finish()

    def on_fit_error(self, history: History, error: BaseException) -> None:
        r"""Finishes the run as one that failed, lest the next one goes on with it."""
        self.run.summary.update({'stopped_by': type(error).__name__})
        self.run.finish(exit_code=1)
