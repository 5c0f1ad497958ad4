import json
from os import PathLike, fspath
from typing import Any

from lgmrec_pyg.training.callbacks.logger import Logger
from lgmrec_pyg.training.history import History


class TensorBoardLogger(Logger):
    r"""Writes a run for `TensorBoard <https://www.tensorflow.org/tensorboard>`_.

    .. code-block:: python

        fit(model, data, callbacks=[TensorBoardLogger('runs/1', model.settings)])

    Args:
        path (str or os.PathLike): The folder of the run.
        settings (Dict[str, Any], optional): See :class:`Logger`.
            (default: :obj:`None`)

    Raises:
        ImportError: If :obj:`tensorboard` is not installed.
    """

    def __init__(
        self, path: str | PathLike[str], settings: dict[str, Any] | None = None
    ) -> None:
        super().__init__(settings)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "'TensorBoardLogger' needs tensorboard: pip install tensorboard"
            ) from error
        self._path, self._open = fspath(path), SummaryWriter

    def on_fit_start(self, history: History) -> None:
        r"""Opens a file of events in the folder."""
        super().on_fit_start(history)
        self._writer = self._open(self._path)
        if self.settings:
            text = json.dumps(self.settings, indent=2, default=str)
            self._writer.add_text('settings', f'```\n{text}\n```', history.epochs_run)

    def write(self, values: dict[str, float], epoch: int) -> None:
        r"""Adds a scalar for every value."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def on_fit_end(self, history: History) -> None:
        r"""Closes the file."""
        super().on_fit_end(history)
        self._writer.close()

    def on_fit_error(self, history: History, error: BaseException) -> None:
        r"""Closes the file."""
        self._writer.close()
