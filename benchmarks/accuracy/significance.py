r"""Whether models differ: paired tests over the users of a dataset."""

import csv
import os

from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.results import Place, Result
from benchmarks.accuracy.statistics import holm, paired_difference
from benchmarks.accuracy.store import Store
from lgmrec_pyg.storage.atomic import atomic_write

METRIC = 'Recall@20'
COLUMNS = ('dataset', 'reference', 'model', 'difference', 'low', 'high', 'p', 'p_holm')
Test = dict[str, str]


def significance(store: Store, results: dict[Place, Result]) -> list[Test]:
    r"""Tests LGMRec, and every model that extends it, against all other models.

    Values of a user are averaged over seeds. The p-values of the tests of one
    reference on one dataset are adjusted together.

    Args:
        store (Store): The rows, with the values of every user.
        results (Dict[Tuple[str, str], Result]): The main study.
    """
    users = {
        place: values
        for place, result in results.items()
        if (values := result.mean_users(store, METRIC)) is not None
    }
    out: list[Test] = []
    for dataset, reference in users:
        if not MODELS[reference].extends_lgmrec:
            continue
        others = [m for d, m in users if d == dataset and m != reference]
        tests = [
            paired_difference(users[dataset, reference], users[dataset, other])
            for other in others
        ]
        adjusted = holm([test.p for test in tests])
        for other, test, p_holm in zip(others, tests, adjusted, strict=True):
            numbers = (f'{value:.6g}' for value in (*test, p_holm))
            cells = (dataset, reference, other, *numbers)
            out.append(dict(zip(COLUMNS, cells, strict=True)))
    return out


def update_significance(
    store: Store, results: dict[Place, Result], path: str
) -> list[Test]:
    r"""The tests, which are kept in a CSV for when the values of users are gone.

    Args:
        store (Store): The rows, with the values of every user, if there are any.
        results (Dict[Tuple[str, str], Result]): The main study.
        path (str): The CSV.
    """
    tests: dict[tuple[str, ...], Test] = {}
    if os.path.exists(path):
        with open(path, newline='', encoding='utf-8') as file:
            tests = {_pair(test): test for test in csv.DictReader(file)}
    new = significance(store, results)
    tests |= {_pair(test): test for test in new}
    if new:
        with (
            atomic_write(path) as partial,
            open(partial, 'w', newline='', encoding='utf-8') as file,
        ):
            writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
            writer.writeheader()
            writer.writerows(tests.values())
    return list(tests.values())


def _pair(test: Test) -> tuple[str, ...]:
    return tuple(test[name] for name in COLUMNS[:3])
