from typing import Any, NamedTuple

import pandas as pd

from lgmrec_pyg.reporting.accuracy import Accuracy, judge, popularity, withheld_split
from lgmrec_pyg.reporting.charts import Charts
from lgmrec_pyg.reporting.intervals import mean_intervals
from lgmrec_pyg.reporting.published import METRICS, PUBLISHED
from lgmrec_pyg.reporting.run import Run

POPULARITY = 'Popularity'


class Series(NamedTuple):
    r"""Something that is judged on the withheld pairs of a run.

    Args:
        name (str): Its name: that of the run, or :obj:`"Popularity"`.
        run (Run): The run.
        split (str): The split of the withheld pairs.
        accuracy (Accuracy): How well it ranks them.
    """

    name: str
    run: Run
    split: str
    accuracy: Accuracy

    def is_paired_with(self, other: 'Series') -> bool:
        r"""Whether both are judged on the same pairs."""
        pairs = self.accuracy.pairs[['user', 'item']]
        return pairs.equals(other.accuracy.pairs[['user', 'item']])


def series_of(runs: dict[str, Run]) -> list[Series]:
    r"""Judges runs that have withheld pairs, and then popularity, once for every data
    that they are of.

    Args:
        runs (Dict[str, Run]): The runs by their names.
    """
    models: list[Series] = []
    baselines: list[Series] = []
    for name, run in runs.items():
        split = withheld_split(run.data)
        if split is None:
            continue
        models.append(Series(name, run, split, judge(run.data, run.embeddings, split)))
        accuracy = judge(run.data, popularity(run.data), split)
        if not any(x.accuracy.users.equals(accuracy.users) for x in baselines):
            title = f'{POPULARITY}, data of {name}' if baselines else POPULARITY
            baselines.append(Series(title, run, split, accuracy))
    return models + baselines


def results(
    series: list[Series], runs: dict[str, Run], charts: Charts
) -> dict[str, Any] | None:
    r"""What the section of metrics shows: the chart, the rows of the table, and those
    of the differences between series.

    Args:
        series (List[Series]): What is judged.
        runs (Dict[str, Run]): The runs by their names.
        charts (Charts): The charts of the page.
    """
    if not series:
        return None
    means = {x.name: mean_intervals(x.accuracy.users) for x in series}
    frame = pd.concat(
        x.rename_axis('metric').reset_index().assign(series=name)
        for name, x in means.items()
    ).sort_values('metric', key=lambda x: x.map(METRICS.index), kind='stable')
    rows = [
        (x.name, x.run.title if x.name in runs else 'this data', cells)
        for x, cells in zip(
            series, (m.to_dict('index') for m in means.values()), strict=True
        )
    ]
    for dataset in sorted({str(x.record['dataset']['name']) for x in runs.values()}):
        for model, source, values in PUBLISHED.get(dataset, []):
            cells = {metric: {'mean': value} for metric, value in values.items()}
            rows.append((model, source, cells))
    return {
        'chart': charts.intervals(frame, 'metric', '', 'mean over users'),
        'rows': rows,
        'differences': list(_differences(series)),
        'splits': sorted({x.split for x in series}),
        'num_users': {x.name: len(x.accuracy.users) for x in series},
    }


def _differences(series: list[Series]) -> Any:
    r"""Those from the first run, and from popularity."""
    for number, x in enumerate(series):
        for other in series[:1] * (number > 0) + series[number + 1 :]:
            is_baseline = other.name.startswith(POPULARITY)
            if (is_baseline or other is series[0]) and x.is_paired_with(other):
                if x.name.startswith(POPULARITY):
                    continue
                cells = mean_intervals(x.accuracy.users - other.accuracy.users)
                yield x.name, other.name, cells.to_dict('index')
