from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
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
            :obj:`"patience"` or :obj:`"interrupt"`.
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
            ValueError: If it is none, or if its entries contradict each other.
        """
        names = {*(entry.name for entry in fields(cls)), 'epochs_run'}
        got = set(record) if isinstance(record, dict) else {type(record).__name__}
        if got != names:
            raise ValueError(
                f'The record of a history needs to hold {sorted(names)} (missing: '
                f'{sorted(names - got)}, unexpected: {sorted(got - names, key=str)})'
            )
        for name in _wrong_entries(record):
            raise ValueError(
                f"'{name}' in the record of a history needs to fit the others (got "
                f'{record[name]!r:.100})'
            )
        return cls(**{key: x for key, x in record.items() if key != 'epochs_run'})


def _wrong_entries(record: dict[str, Any]) -> Iterator[str]:
    num_epochs, epochs = record['epochs_run'], record['eval_epochs']
    if not _is_integer(num_epochs):
        yield 'epochs_run'
    if not _is_list(record['losses'], _is_terms, num_epochs):
        yield 'losses'
    if not _is_list(record['train_seconds'], _is_number, num_epochs):
        yield 'train_seconds'
    if not _is_list(epochs, _is_integer) or not all(
        a < b for a, b in pairwise([0, *epochs, num_epochs + 1])
    ):
        yield 'eval_epochs'
    if not _is_list(record['metrics'], _is_terms, len(epochs)):
        yield 'metrics'
    if not _is_list(record['eval_seconds'], _is_number, len(epochs)):
        yield 'eval_seconds'
    if not _is_integer(record['best_epoch']) or (
        record['best_epoch'] not in [0, *epochs]
    ):
        yield 'best_epoch'
    if record['stopped_by'] not in ('epochs', 'patience', 'interrupt'):
        yield 'stopped_by'


def _is_list(
    value: Any, is_entry: Callable[[Any], bool], size: int | None = None
) -> bool:
    if not isinstance(value, list) or size not in (None, len(value)):
        return False
    return all(is_entry(entry) for entry in value)


def _is_terms(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _is_integer(value: Any) -> bool:
    return type(value) is int
