r"""Which cells there are to run: those of a study follow from the search."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.accuracy.cells import SEARCH_SEED, Cell
from benchmarks.accuracy.models import MODELS, Config
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.studies import MAIN, STUDIES, changes


class Options(NamedTuple):
    r"""What to run.

    Args:
        datasets (Tuple[str, ...]): The names of datasets.
        studies (Tuple[str, ...]): The names of studies.
        models (Tuple[str, ...]): The names of models.
        seeds (int): The number of seeds of the chosen configuration.
        study_seeds (int): The number of seeds of every variant.
        search (int): The number of configurations a model.
        epochs (int): The maximum number of epochs.
        patience (int): The patience of early stopping.
        quick (bool): Whether studies have few levels.
    """

    datasets: tuple[str, ...]
    studies: tuple[str, ...]
    models: tuple[str, ...] = tuple(MODELS)
    seeds: int = 5
    study_seeds: int = 3
    search: int = 4
    epochs: int = 200
    patience: int = 20
    quick: bool = False


def search_cells(options: Options, dataset: str, model: str) -> list[Cell]:
    r"""The cells that choose the configuration of a model."""
    configs = MODELS[model].configs(dataset, options.search)
    return [_cell(options, MAIN, dataset, model, config) for config in configs]


def choose(options: Options, store: Store, dataset: str, model: str) -> Config | None:
    r"""The configuration with the best validation Recall@20, or :obj:`None` while
    the search is not over, or if all diverged.
    """
    cells = search_cells(options, dataset, model)
    if not all(cell in store for cell in cells):
        return None
    scored = {
        i: float(store.rows[cell.key]['val_Recall@20'])
        for i, cell in enumerate(cells)
        if not store.rows[cell.key]['error']
    }
    if not scored:
        return None
    return cells[max(scored, key=lambda i: scored[i])].config


def chosen_cells(
    options: Options, dataset: str, model: str, config: Config
) -> list[Cell]:
    r"""The cells that the main study reports: seeds that the search has not seen,
    or the search's own if there is nothing random.
    """
    seeds = options.seeds if MODELS[model].learned else 0
    return [
        _cell(options, MAIN, dataset, model, config, seed=seed)
        for seed in _seeds(seeds)
    ]


def study_cells(
    options: Options, study: str, dataset: str, model: str, config: Config
) -> Iterator[Cell]:
    r"""The cells of a study beyond the main one."""
    epochs = STUDIES[study].epochs
    if epochs is not None:
        options = options._replace(epochs=min(epochs, options.epochs), study_seeds=1)
    # Even a closed form meets another corruption with every seed.
    for change in changes(study, options.quick):
        if change.config and _amounts_to(model, config, change.config):
            continue  # The main study has it.
        for seed in _seeds(options.study_seeds):
            yield _cell(
                options,
                study,
                dataset,
                model,
                config | change.config,
                seed=seed,
                variant=change.variant,
                level=change.level,
            )


def plan(options: Options, store: Store) -> tuple[list[Cell], int]:
    r"""The cells that can run now, and how many more are going to follow.

    Args:
        options (Options): What to run.
        store (Store): The finished cells.
    """
    ready: dict[str, Cell] = {}
    waiting = 0
    for dataset in options.datasets:
        for model in options.models:
            studies = [x for x in options.studies if _takes_part(x, model)]
            if not studies:
                continue
            config = choose(options, store, dataset, model)
            if config is None:
                cells = search_cells(options, dataset, model)
                following = _following(
                    options, studies, dataset, model, cells[0].config
                )
                waiting += len(
                    {cell.key for cell in following} - {x.key for x in cells}
                )
            else:
                cells = _following(options, studies, dataset, model, config)
            ready |= {cell.key: cell for cell in cells if cell not in store}
    return list(ready.values()), waiting


def _following(
    options: Options, studies: list[str], dataset: str, model: str, config: Config
) -> list[Cell]:
    out = []
    for study in studies:
        if study == MAIN:
            out += chosen_cells(options, dataset, model, config)
        else:
            out += study_cells(options, study, dataset, model, config)
    return out


def _takes_part(study: str, model: str) -> bool:
    return study == MAIN or model in STUDIES[study].models


def _amounts_to(model: str, config: Config, change: Config) -> bool:
    entry = MODELS[model]
    return entry.extends_lgmrec and all(
        entry.value(config, key) == value for key, value in change.items()
    )


def _seeds(number: int) -> list[int]:
    return [SEARCH_SEED + 1 + i for i in range(number)] or [SEARCH_SEED]


def _cell(
    options: Options,
    study: str,
    dataset: str,
    model: str,
    config: Config,
    seed: int = SEARCH_SEED,
    variant: str = '',
    level: str = '',
) -> Cell:
    learned = MODELS[model].learned
    return Cell(
        study,
        dataset,
        model,
        config,
        seed,
        variant,
        level,
        options.epochs if learned else 0,
        options.patience if learned else 0,
    )
