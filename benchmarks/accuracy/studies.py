r"""The studies, each a list of what to change about a model or its data, and the runs
that they consist of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.accuracy.models import MODELS, Config
from benchmarks.accuracy.runs import SEARCH_SEED, Run
from lgmrec_pyg.nn.models.lgmrec import PARTS

MAIN = 'main'
COST = 'cost'
SHARES = ('0.1', '0.3', '0.5')


class Change(NamedTuple):
    r"""What a variant changes: the arguments of a model, or, if its name is that
    of a corruption, the data.
    """

    variant: str
    level: str = ''
    config: Config = {}  # noqa: RUF012


@dataclass(frozen=True)
class Study:
    r"""A study beyond the main one.

    Args:
        title (str): The heading of its table.
        models (Tuple[str, ...]): The models that take part.
        changes (Tuple[Change, ...]): What to change.
        epochs (int, optional): The number of epochs and one seed, if all that counts
            is what they take. (default: :obj:`None`)
    """

    title: str
    models: tuple[str, ...]
    changes: tuple[Change, ...]
    epochs: int | None = None


LGMRECS = tuple(name for name, entry in MODELS.items() if entry.extends_lgmrec)
FEATURED = tuple(name for name, entry in MODELS.items() if entry.featured)
# All but the weakest.
ROBUST = tuple(x for x in MODELS if x not in ('popularity', 'item-knn', 'bpr-mf'))

ABLATIONS = (
    Change('no modality', '', {'parts': ['collaborative', 'hypergraph']}),
    Change('no local', '', {'parts': ['hypergraph']}),
    Change('no global', '', {'parts': ['collaborative', 'modality']}),
    Change('IDs only', '', {'parts': ['collaborative']}),
    Change('with global', '', {'parts': list(PARTS)}),
    Change('shared IDs', '', {'shared_ids': True}),
    Change('no contrast', '', {'contrast_weight': 0.0}),
    Change('summed up', '', {'fusion': 'sum'}),
    Change('no similar items', '', {'similar_weight': 0.0}),
)
OPTIONS = (
    Change('softmax over all items', '', {'ranking_loss': 'softmax', 'lr': 5e-3}),
    Change('one negative instead', '', {'ranking_loss': 'bpr'}),
    Change('learning rate 5e-3', '', {'lr': 5e-3}),
    Change('mean membership logits', '', {'user_logits': 'mean'}),
    Change('side by side', '', {'fusion': 'concat'}),
    Change(
        'similar items',
        '',
        {'similar_weight': 1.0, 'transforms': ['standardize', 'similar']},
    ),
    Change('new items', '', {'new_item_rate': 0.1}),
    Change('normalized hypergraph', '', {'normalize_hypergraph': True}),
    Change('no membership noise', '', {'noise': None}),
    Change(
        'bfloat16 features', '', {'transforms': ['standardize', 'similar', 'bfloat16']}
    ),
)
QUIRKS = (
    Change('noisy evaluation', '', {'noisy_eval': True}),
    Change('membership bug', '', {'membership_bug': True}),
)
SENSITIVITY: dict[str, tuple[Any, ...]] = {
    'num_collaborative_layers': (0, 1, 2, 3, 4),
    'num_hyperedges': (1, 4, 16, 64),
    'dropout': (0.0, 0.2, 0.5, 0.8),
    'alpha': (0.0, 0.1, 0.3, 0.6, 1.0),
    'contrast_weight': (0.0, 1e-5, 1e-4, 1e-3),
    'reg_weight': (0.0, 1e-6, 1e-4, 1e-2),
}
VALUES = tuple(
    Change(name, str(value), {name: value})
    for name, values in SENSITIVITY.items()
    for value in values
)


def _levels(variant: str, levels: tuple[str, ...]) -> tuple[Change, ...]:
    return tuple(Change(variant, level) for level in levels)


STUDIES = {
    'ablation': Study('Ablations', LGMRECS, ABLATIONS),
    'options': Study('Options beyond the paper', LGMRECS, OPTIONS),
    'sensitivity': Study('Sensitivity', LGMRECS, VALUES),
    'missing': Study(
        'Items without features',
        FEATURED,
        _levels('missing features', ('0.1', '0.3', '0.5', '0.7', '0.9')),
    ),
    'noise': Study('Random training pairs', ROBUST, _levels('noise edges', SHARES)),
    'dropped': Study('Fewer training pairs', ROBUST, _levels('dropped edges', SHARES)),
    'random': Study(
        'Features replaced by noise', FEATURED, _levels('random modality', ('all',))
    ),
    'cold': Study(
        'Cold items',
        ROBUST,
        (Change('cold items', '0.1'), Change('trained items', '0.1')),
    ),
    'quirks': Study("Quirks of the authors' code", ('lgmrec',), QUIRKS),
    COST: Study('Cost', tuple(MODELS), (Change('alone'),), epochs=3),
}


class Options(NamedTuple):
    r"""What to run: on datasets, with their digests, some studies of some models; see
    ``python -m benchmarks.accuracy --help``.
    """

    datasets: dict[str, str]
    only: Sequence[str] = (MAIN, *STUDIES)
    models: Sequence[str] = tuple(MODELS)
    seeds: int = 5
    study_seeds: int = 3
    search: int = 4
    epochs: int = 200
    patience: int = 20
    quick: bool = False


def search_runs(options: Options, finished: pd.DataFrame | None = None) -> list[Run]:
    r"""The runs that choose the configuration of every model."""
    return [
        run
        for dataset in options.datasets
        for model in _participants(options)
        for run in _search(options, dataset, model)
    ]


def following_runs(options: Options, finished: pd.DataFrame) -> list[Run]:
    r"""The runs of what the search has chosen, of models whose search is over."""
    score = finished[finished['error'] == ''].set_index('key')['val_Recall@20']
    done = set(finished['key'])
    out: list[Run] = []
    for dataset in options.datasets:
        for model in _participants(options):
            search = _search(options, dataset, model)
            scored = [run for run in search if run.key in score.index]
            if scored and all(run.key in done for run in search):
                best = max(scored, key=lambda run: score[run.key]).config
                for study in options.only:
                    out += _study(options, study, dataset, model, best)
    return out


def _participants(options: Options) -> Iterator[str]:
    for model in options.models:
        if any(x == MAIN or model in STUDIES[x].models for x in options.only):
            yield model


def _search(options: Options, dataset: str, model: str) -> list[Run]:
    configs = MODELS[model].configs(dataset, options.search)
    return [_run(options, MAIN, dataset, model, config) for config in configs]


def _study(
    options: Options, study: str, dataset: str, model: str, config: Config
) -> Iterator[Run]:
    if study == MAIN:
        # Without anything random, the run of the search is the one to report.
        for seed in _seeds(options.seeds if MODELS[model].learned else 0):
            yield _run(options, MAIN, dataset, model, config, seed=seed)
        return
    if model not in STUDIES[study].models:
        return
    epochs = STUDIES[study].epochs
    if epochs is not None:
        options = options._replace(epochs=min(epochs, options.epochs), study_seeds=1)
    chosen = STUDIES[study].changes
    if options.quick:
        chosen = tuple({change.variant: change for change in chosen}.values())
    for variant, level, change in chosen:
        entry = MODELS[model]
        if change and all(entry.value(config, k) == x for k, x in change.items()):
            continue  # The main study has it.
        # Even a closed form meets another corruption with every seed.
        for seed in _seeds(options.study_seeds):
            changed = config | change
            place = {'seed': seed, 'variant': variant, 'level': level}
            yield _run(options, study, dataset, model, changed, **place)


def _seeds(number: int) -> list[int]:
    return [SEARCH_SEED + 1 + i for i in range(number)] or [SEARCH_SEED]


def _run(
    options: Options, study: str, dataset: str, model: str, config: Config, **place: Any
) -> Run:
    digest = options.datasets[dataset]
    if MODELS[model].learned:
        place |= {'epochs': options.epochs, 'patience': options.patience}
    return Run(study, dataset, digest, model, config, **place)
