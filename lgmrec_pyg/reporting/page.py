import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lgmrec_pyg.reporting.charts import INSTALL, Charts, javascript
from lgmrec_pyg.reporting.example_users import example_users
from lgmrec_pyg.reporting.results import results, series_of
from lgmrec_pyg.reporting.run import Run
from lgmrec_pyg.reporting.sections import (
    course,
    data_summary,
    groups,
    hyperedges,
    modality_values,
    resources,
    settings,
)
from lgmrec_pyg.storage import atomic_write

TEMPLATE = 'report.html.jinja'


def report(
    runs: 'str | os.PathLike[str] | Run | Sequence[str | os.PathLike[str] | Run]',
    path: str | os.PathLike[str],
) -> None:
    r"""Writes one HTML file about a run, or about several to compare, which needs
    neither a network nor other files: metrics with bootstrap intervals, beside those of
    popularity and published ones; learning curves; accuracy by activity of users and
    popularity of items; what modalities add and what hyperedges hold; recommendations
    for some users; data, settings, time and memory.

    .. code-block:: python

        report('run', 'run/report.html')
        report(['run', 'other-run'], 'compare.html')

    Args:
        runs (str or os.PathLike or Run or Sequence): The run, or its folder, or a list
            of them.
        path (str or os.PathLike): The path of the file.

    Raises:
        ImportError: If :obj:`altair`, :obj:`vl-convert-python` or :obj:`jinja2` are
            not installed.
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        ValueError: See :meth:`Run.load`.
    """
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError as error:
        raise ImportError(INSTALL) from error
    several: Any = runs if isinstance(runs, (list, tuple)) else [runs]
    loaded = [x if isinstance(x, Run) else Run.load(x) for x in several]
    named = dict(zip(distinct_names([x.name for x in loaded]), loaded, strict=True))
    series = series_of(named)
    charts = Charts([*named], [x.name for x in series if x.name not in named])
    # All that comes from files is escaped.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True
    )
    html = environment.get_template(TEMPLATE).render(
        names=[*named],
        titles=[run.title for run in loaded],
        results=results(series, named, charts),
        curves=course(named, charts),
        groups=groups(series, charts),
        modalities=modality_values(series, named, charts),
        hyperedges={name: hyperedges(run, charts) for name, run in named.items()},
        examples={name: example_users(run) for name, run in named.items()},
        data=data_summary(named, charts),
        settings=settings(named),
        resources=resources(named, charts),
        javascript=javascript(),
    )
    with atomic_write(path) as partial, open(partial, 'w', encoding='utf-8') as file:
        file.write(html)


def distinct_names(names: list[str]) -> list[str]:
    r"""Returns names with numbers after those that repeat.

    Args:
        names (List[str]): The names.
    """
    return [
        name if names.count(name) == 1 else f'{name} ({names[: i + 1].count(name)})'
        for i, name in enumerate(names)
    ]
