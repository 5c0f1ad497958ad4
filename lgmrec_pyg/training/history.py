from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any


@dataclass
class History:
    r"""The course of a training run, as returned by
    :meth:`~lgmrec_pyg.training.fit`.

    Args:
        losses (List[Dict[str, float]]): The mean of every loss term over the
            steps of an epoch, one entry per epoch.
        metrics (List[Dict[str, float]]): The validation metrics, one entry per
            evaluation.
        eval_epochs (List[int]): The epochs, counted from one, that
            :obj:`metrics` belong to.
        train_seconds (List[float]): The seconds each epoch took to train.
        eval_seconds (List[float]): The seconds each evaluation took.
        best_epoch (int): The epoch whose weights were restored, counted from
            one; zero if there was no evaluation.
        stopped_by (str): Why the run ended: :obj:`"epochs"`,
            :obj:`"patience"`, :obj:`"callback"` or :obj:`"interrupt"`.
    """

    losses: list[dict[str, float]] = field(default_factory=list)
    metrics: list[dict[str, float]] = field(default_factory=list)
    eval_epochs: list[int] = field(default_factory=list)
    train_seconds: list[float] = field(default_factory=list)
    eval_seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped_by: str = 'epochs'

    @property
    def epochs_run(self) -> int:
        r"""The number of completed epochs."""
        return len(self.losses)

    @property
    def best_metrics(self) -> dict[str, float]:
        r"""The validation metrics of :obj:`best_epoch`."""
        if self.best_epoch == 0:
            return {}
        return self.metrics[self.eval_epochs.index(self.best_epoch)]

    def __repr__(self) -> str:
        metrics = ', '.join(f'{name}={x:.4f}' for name, x in self.best_metrics.items())
        return (
            f'{self.__class__.__name__}(epochs_run={self.epochs_run}, '
            f'best_epoch={self.best_epoch}, stopped_by={self.stopped_by!r}'
            f'{", " * bool(metrics)}{metrics})'
        )

    def to_dict(self) -> dict[str, Any]:
        r"""The history as plain types, ready for JSON."""
        return {**asdict(self), 'epochs_run': self.epochs_run}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> 'History':
        r"""The history that :meth:`to_dict` made a record of.

        Args:
            record (Dict[str, Any]): The record.

        Raises:
            ValueError: If its entries contradict each other.
        """
        out = cls(
            losses=[_floats(terms) for terms in record['losses']],
            metrics=[_floats(terms) for terms in record['metrics']],
            eval_epochs=[int(epoch) for epoch in record['eval_epochs']],
            train_seconds=[float(x) for x in record['train_seconds']],
            eval_seconds=[float(x) for x in record['eval_seconds']],
            best_epoch=record['best_epoch'],
            stopped_by=record['stopped_by'],
        )
        epochs = [0, *out.eval_epochs, out.epochs_run + 1]
        if (
            not len(out.losses) == len(out.train_seconds) == record['epochs_run']
            or not len(out.metrics) == len(out.eval_epochs) == len(out.eval_seconds)
            or any(a >= b for a, b in pairwise(epochs))
            or out.best_epoch not in epochs[:-1]
        ):
            raise ValueError('The entries of a history need to fit each other')
        return out


def _floats(terms: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in terms.items()}
