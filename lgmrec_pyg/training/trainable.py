from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from torch import Tensor

from lgmrec_pyg.ops.parallel import active
from lgmrec_pyg.training.history import History


class Trainable(Protocol):
    r"""What :meth:`fit` needs of a model: any :class:`torch.nn.Module` with a
    :meth:`forward`, a :meth:`loss` that returns a named tuple of scalars with
    the objective in :obj:`total`, and an :meth:`embed` for ranking.
    """

    def __call__(self, *inputs: Any) -> Any: ...

    def loss(self, out: Any, user: Tensor, pos: Tensor, neg: Tensor) -> Any: ...

    def embed(self, *inputs: Any) -> tuple[Tensor, Tensor]: ...


class StopTraining(Exception):  # noqa: N818
    r"""Raised by a :class:`Callback` to end a run, which keeps its best weights."""


class Callback:
    r"""Takes part in :meth:`fit`, *e.g.*, to log a run (see :class:`Logger`) or to
    prune it. Any method may be left out. Errors leave :meth:`fit`, once the best
    weights are restored; :class:`StopTraining` after an epoch ends the run, once all
    callbacks were called, and in all processes that share it.

    .. code-block:: python

        class Prune(Callback):
            def on_epoch_end(self, history):
                if history.metrics[-1]['Recall@20'] < 0.01:
                    raise StopTraining
    """

    def on_fit_start(self, history: History) -> None:
        r"""Called before the first epoch.

        Args:
            history (History): The course of the run so far, which is empty unless
                it is resumed.
        """

    def on_epoch_end(self, history: History) -> None:
        r"""Called once an epoch is trained, evaluated if it is due, and saved.

        Args:
            history (History): The course of the run so far.
        """

    def on_fit_end(self, history: History) -> None:
        r"""Called at the end of a run, once the best weights are restored.

        Args:
            history (History): The course of the run.
        """

    def on_fit_error(self, history: History, error: BaseException) -> None:
        r"""Called instead of :meth:`on_fit_end` if training ends in an error.

        Args:
            history (History): The course of the run so far.
            error (BaseException): The error, which then leaves :meth:`fit`.
        """


class Callbacks:
    r"""Several callbacks, each of which is called whatever others raise.

    Args:
        callbacks (Sequence[Callback]): The callbacks, in their order.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = list(callbacks)

    def on_fit_start(self, history: History) -> None:
        for callback in self._callbacks:
            callback.on_fit_start(history)

    def stop_after_epoch(self, history: History) -> bool:
        r"""Calls all, and returns whether one of them, of any process, ends the run."""
        stops = 0
        for callback in self._callbacks:
            try:
                callback.on_epoch_end(history)
            except StopTraining:
                stops += 1
        here = active()
        return (stops if here is None else here.total(stops, 'cpu')) > 0

    def on_fit_end(self, history: History) -> None:
        self._call_all('on_fit_end', history)

    def on_fit_error(self, history: History, error: BaseException) -> None:
        self._call_all('on_fit_error', history, error)

    def _call_all(self, name: str, *args: Any) -> None:
        with ExitStack() as stack:
            for callback in reversed(self._callbacks):
                stack.callback(getattr(callback, name), *args)
