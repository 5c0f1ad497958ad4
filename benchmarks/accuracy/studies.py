r"""The studies, each a list of what to change about a model or its data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.accuracy.models import MODELS

SHARES = ('0.1', '0.3', '0.5')


class Change(NamedTuple):
    r"""What a variant changes: the arguments of a model, or, if its name is that
    of a corruption, the data.
    """

    variant: str
    level: str = ''
    config: dict[str, Any] = {}  # noqa: RUF012


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


MAIN = 'main'
COST = 'cost'
LGMRECS = tuple(name for name, entry in MODELS.items() if entry.extends_lgmrec)
ROBUST = ('filter', 'filter+content', 'ease', 'lightgcn', 'vbpr', *LGMRECS)
FEATURED = ('filter+content', 'vbpr', *LGMRECS)

ABLATIONS = (
    Change('no modality', '', {'parts': ['collaborative', 'hypergraph']}),
    Change('no local', '', {'parts': ['hypergraph']}),
    Change('no global', '', {'parts': ['collaborative', 'modality']}),
    Change('IDs only', '', {'parts': ['collaborative']}),
    Change('shared IDs', '', {'shared_ids': True}),
    Change('own modality users', '', {'shared_ids': False}),
    Change('no contrast', '', {'contrast_weight': 0.0}),
)
OPTIONS = (
    Change('softmax over all items', '', {'ranking_loss': 'softmax', 'lr': 5e-3}),
    Change('one negative instead', '', {'ranking_loss': 'bpr'}),
    Change('learning rate 5e-3', '', {'lr': 5e-3}),
    Change('mean membership logits', '', {'user_logits': 'mean'}),
    Change('normalized hypergraph', '', {'normalize_hypergraph': True}),
    Change('no membership noise', '', {'noise': None}),
    Change('bfloat16 features', '', {'transforms': ['standardize', 'bfloat16']}),
)
SENSITIVITY: dict[str, tuple[Any, ...]] = {
    'num_collaborative_layers': (0, 1, 2, 3, 4),
    'num_hyperedges': (1, 4, 16, 64),
    'dropout': (0.0, 0.2, 0.5, 0.8),
    'alpha': (0.0, 0.1, 0.3, 0.6, 1.0),
    'contrast_weight': (0.0, 1e-5, 1e-4, 1e-3),
    'reg_weight': (0.0, 1e-6, 1e-4, 1e-2),
}


def _levels(variant: str, levels: tuple[str, ...]) -> tuple[Change, ...]:
    return tuple(Change(variant, level) for level in levels)


STUDIES = {
    'ablation': Study('Ablations', LGMRECS, ABLATIONS),
    'options': Study('Options beyond the paper', LGMRECS, OPTIONS),
    'sensitivity': Study(
        'Sensitivity',
        LGMRECS,
        tuple(
            Change(name, str(value), {name: value})
            for name, values in SENSITIVITY.items()
            for value in values
        ),
    ),
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
    'cold': Study('Cold items', ROBUST, _levels('cold items', ('0.1',))),
    'quirks': Study(
        "Quirks of the authors' code",
        ('lgmrec',),
        (
            Change('noisy evaluation', '', {'noisy_eval': True}),
            Change('membership bug', '', {'membership_bug': True}),
        ),
    ),
    COST: Study('Cost', tuple(MODELS), (Change('alone'),), epochs=3),
}
NAMES = (MAIN, *STUDIES)


def changes(name: str, quick: bool) -> Iterator[Change]:
    r"""What a study changes; a quick one takes the last level of each."""
    chosen = STUDIES[name].changes
    if quick:
        chosen = tuple({change.variant: change for change in chosen}.values())
    yield from chosen
