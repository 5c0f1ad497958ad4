r"""What models take, from runs that had the machine for themselves."""

from typing import NamedTuple

from benchmarks.accuracy.results import Place, Result, study_rows
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.studies import COST


class Cost(NamedTuple):
    r"""The cost of one model on a dataset; NaN for what does not apply.

    Args:
        epochs (float): The epochs until early stopping, on average.
        epoch_seconds (float): The time of one of them.
        train_seconds (float): The time of all, or of a closed form.
        evaluate_seconds (float): The time to rank all items for all test users.
        peak_mib (float): The memory on top of data and libraries.
        parameters (float): The number of parameters.
    """

    epochs: float
    epoch_seconds: float
    train_seconds: float
    evaluate_seconds: float
    peak_mib: float
    parameters: float


def study_costs(store: Store, results: dict[Place, Result]) -> dict[Place, Cost]:
    r"""The costs of the chosen configurations, in the order of the main study."""
    found = study_rows(store, COST)
    out = {}
    for place, result in results.items():
        rows = [row for rows in found.get(place, {}).values() for row in rows]
        config = {row['config'] for row in result.rows}
        rows = [row for row in rows if row['config'] in config]
        if not rows:
            continue
        row = rows[-1]
        epochs, seconds = result.mean('epochs_run'), float(row['train_seconds'])
        run = _number(row['epochs_run'])
        learned = run == run
        out[place] = Cost(
            epochs,
            seconds / run,
            epochs * seconds / run if learned else seconds,
            float(row['eval_seconds']),
            float(row['peak_mib']),
            _number(row['parameters']),
        )
    return out


def _number(text: str) -> float:
    return float(text) if text else float('nan')
