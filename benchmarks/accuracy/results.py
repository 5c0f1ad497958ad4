r"""Reads the outcome of the studies from the rows."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy.cells import SEARCH_SEED
from benchmarks.accuracy.models import MODELS
from benchmarks.accuracy.statistics import Interval, interval
from benchmarks.accuracy.store import Row, Store
from benchmarks.accuracy.studies import MAIN

Place = tuple[str, str]  # Dataset and model.


class Result(NamedTuple):
    r"""A model on a dataset: the rows of its chosen configuration.

    Args:
        rows (List[Dict[str, str]]): One row a seed that the search has not seen;
            that of the search while there are none.
        searched (List[Dict[str, str]]): The rows that the choice was made from.
        final (bool): Whether :obj:`rows` are those to report.
    """

    rows: list[Row]
    searched: list[Row]
    final: bool

    def interval(self, column: str) -> Interval:
        r"""The mean over seeds and its confidence interval."""
        return column_interval(self.rows, column)

    def mean(self, column: str) -> float:
        r"""The mean over seeds, NaN if empty."""
        return self.interval(column).mean

    def mean_users(self, store: Store, name: str) -> np.ndarray | None:
        r"""The values of every user, averaged over seeds, if they are kept."""
        arrays = [store.users(row['key']) for row in self.rows]
        kept = [array[name] for array in arrays if array is not None]
        return np.mean(kept, axis=0) if len(kept) == len(arrays) else None


def main_results(store: Store) -> dict[Place, Result]:
    r"""The results of the main study in the order of :obj:`MODELS`, of the longest
    training that there is.
    """
    groups: dict[Place, list[Row]] = defaultdict(list)
    for row in store.rows.values():
        if row['study'] == MAIN and row['model'] in MODELS:
            groups[row['dataset'], row['model']].append(row)
    datasets = list(dict.fromkeys(place[0] for place in groups))
    return {
        (dataset, model): _result(_longest(groups[dataset, model]))
        for dataset in datasets
        for model in MODELS
        if (dataset, model) in groups
    }


def study_rows(store: Store, study: str) -> dict[Place, dict[Place, list[Row]]]:
    r"""The rows of a study by dataset and model, then by variant and level."""
    groups: dict[Place, list[Row]] = defaultdict(list)
    for row in store.rows.values():
        if row['study'] == study and row['model'] in MODELS:
            groups[row['dataset'], row['model']].append(row)
    out: dict[Place, dict[Place, list[Row]]] = {}
    for place, rows in groups.items():
        variants: dict[Place, list[Row]] = defaultdict(list)
        for row in _longest(rows):
            variants[row['variant'], row['level']].append(row)
        out[place] = dict(variants)
    return out


def column_interval(rows: Iterable[Row], column: str) -> Interval:
    r"""The mean of a column and its confidence interval over seeds."""
    return interval([float(row[column]) for row in rows if row[column] != ''])


def extra(row: Row) -> dict:
    r"""What a row holds beyond its columns."""
    return json.loads(row['extra']) if row['extra'] else {}


def _result(rows: list[Row]) -> Result:
    searched = [row for row in rows if row['seed'] == str(SEARCH_SEED)]
    scored = [row for row in searched if not row['error']]
    if not scored:
        return Result([], searched, False)
    best = max(scored, key=lambda row: float(row['val_Recall@20']))
    if not MODELS[best['model']].learned:
        return Result([best], searched, True)
    chosen = [
        row
        for row in rows
        if row['config'] == best['config'] and row['seed'] != best['seed']
    ]
    return Result(chosen or [best], searched, bool(chosen))


def _longest(rows: list[Row]) -> list[Row]:
    def length(row: Row) -> tuple[int, int]:
        return int(row['epochs']), int(row['patience'])

    longest = max(map(length, rows))
    return [row for row in rows if length(row) == longest]
