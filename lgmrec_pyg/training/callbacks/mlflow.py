import re
from typing import Any

from lgmrec_pyg.training.callbacks.logger import Logger
from lgmrec_pyg.training.history import History

OTHERS = re.compile(r'[^\w\-. :/]')  # What names of MLflow do not hold.


class MLflowLogger(Logger):
    r"""Logs a run to `MLflow <https://mlflow.org>`_, where :obj:`Recall@20` is called
    :obj:`Recall_at_20`.

    .. code-block:: python

        logger = MLflowLogger(model.settings, experiment='baby')
        fit(model, data, callbacks=[logger])

    Args:
        settings (Dict[str, Any], optional): See :class:`Logger`; they become the
            parameters of the run. (default: :obj:`None`)
        experiment (str, optional): The name of the experiment, which is created if
            there is none. (default: :obj:`"lgmrec_pyg"`)
        name (str, optional): The name of the run. If :obj:`None`, MLflow will draw
            one. (default: :obj:`None`)
        tracking_uri (str, optional): Where to. If :obj:`None`, will go where MLflow
            goes. (default: :obj:`None`)
        run_id (str, optional): The run to go on with, for one that is resumed; that of
            a logger is its :obj:`run_id`. If :obj:`None`, starts one.
            (default: :obj:`None`)

    Raises:
        ImportError: If :obj:`mlflow` is not installed.
    """

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        experiment: str = 'lgmrec_pyg',
        name: str | None = None,
        tracking_uri: str | None = None,
        run_id: str | None = None,
    ) -> None:
        super().__init__(settings)
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise ImportError(
                "'MLflowLogger' needs mlflow: pip install mlflow-skinny"
            ) from error
        self._experiment, self._name = experiment, name
        self._goes_on_with, self.run_id = run_id, run_id
        self.client: Any = MlflowClient(tracking_uri)

    def on_fit_start(self, history: History) -> None:
        r"""Starts the run, or goes on with it."""
        super().on_fit_start(history)
        if self._goes_on_with is not None:
            self.client.update_run(self.run_id, status='RUNNING')
            return
        found = self.client.get_experiment_by_name(self._experiment)
        number = (
            self.client.create_experiment(self._experiment)
            if found is None
            else found.experiment_id
        )
        run = self.client.create_run(number, run_name=self._name)
        self.run_id = run.info.run_id
        for name, value in self.settings.items():
            self.client.log_param(self.run_id, _as_name(name), value)

    def write(self, values: dict[str, float], epoch: int) -> None:
        r"""Logs all values."""
        for name, value in values.items():
            self.client.log_metric(self.run_id, _as_name(name), value, step=epoch)

    def on_fit_end(self, history: History) -> None:
        r"""Sums the run up, and finishes it."""
        super().on_fit_end(history)
        self.client.set_tag(self.run_id, 'stopped_by', history.stopped_by)
        for name, value in history.best_metrics.items():
            self.client.log_metric(self.run_id, f'best/{_as_name(name)}', value)
        self.client.set_terminated(self.run_id)

    def on_fit_error(self, history: History, error: BaseException) -> None:
        r"""Finishes the run as one that failed."""
        self.client.set_tag(self.run_id, 'stopped_by', type(error).__name__)
        self.client.set_terminated(self.run_id, 'FAILED')


def _as_name(name: str) -> str:
    return OTHERS.sub('_', name.replace('@', '_at_'))
