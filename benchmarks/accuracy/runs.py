r"""Runs, and the folder that keeps them: one JSON file each, with the values of its
users beside it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from glob import escape, glob
from typing import Any

import numpy as np
import pandas as pd

from lgmrec_pyg.storage import reading
from lgmrec_pyg.storage.atomic import atomic_write

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUTPUT = os.path.relpath(os.path.join(ROOT, 'results', 'accuracy'))
CACHE = os.path.join('benchmark-results', 'accuracy')

# Configurations are compared on one seed; reports use others.
SEARCH_SEED = 0
KEPT = ('Recall@20', 'NDCG@20')  # Of validation, and of every user.
METRICS = ('Recall@10', 'Recall@20', 'NDCG@10', 'NDCG@20', 'Precision@20', 'MAP@20')
TEXTS = ('key', 'study', 'dataset', 'data', 'model', 'variant', 'level', 'config')
NUMBERS = (
    *('seed', 'epochs', 'patience', 'val_Recall@20', 'val_NDCG@20', *METRICS),
    *('users', 'best_epoch', 'epochs_run', 'train_seconds', 'eval_seconds'),
    *('peak_mib', 'parameters'),
)
OTHERS = ('extra', 'error')  # Followed by what describes the machine.


@dataclass(frozen=True)
class Run:
    r"""One model with one configuration and seed on one dataset.

    Args:
        study (str): The study it belongs to.
        dataset (str): The name of the dataset.
        data (str): A digest of the dataset.
        model (str): The name of the model.
        config (Dict[str, Any]): The configuration of the model and its training.
        seed (int): The seed of everything random.
        variant (str): What the study changes.
        level (str): The value it changes it to.
        epochs (int): The maximum number of epochs.
        patience (int): The patience of early stopping.
    """

    study: str
    dataset: str
    data: str
    model: str
    config: dict[str, Any] = field(default_factory=dict)
    seed: int = SEARCH_SEED
    variant: str = ''
    level: str = ''
    epochs: int = 0
    patience: int = 0

    def settings(self) -> dict[str, Any]:
        r"""What the run is run with, as columns of a table."""
        return asdict(self) | {'config': config_text(self.config)}

    @property
    def key(self) -> str:
        r"""A digest of the settings, the same in every process."""
        text = json.dumps(self.settings(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        words = [self.dataset, self.model, self.variant, self.level]
        return ' '.join([self.study, *filter(None, words), f'seed {self.seed}'])


def config_text(config: dict[str, Any]) -> str:
    r"""A configuration as JSON with sorted keys."""
    return json.dumps(config, sort_keys=True)


def save_run(
    folder: str, run: Run, result: Mapping[str, Any], users: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    r"""Writes what came out of a run, and the values of its users before."""
    row = {'key': run.key} | run.settings()
    row |= {name: _rounded(value) for name, value in result.items()}
    if users:
        path = os.path.join(folder, f'{run.key}.npz')
        with atomic_write(path) as partial, open(partial, 'wb') as file:
            np.savez_compressed(file, **users)  # type: ignore[arg-type]
    with (
        atomic_write(os.path.join(folder, f'{run.key}.json')) as partial,
        open(partial, 'w', encoding='utf-8') as file,
    ):
        json.dump(row, file, indent=1)
    return row


def load_runs(folder: str, csv: str) -> pd.DataFrame:
    r"""All finished runs: those of a table, and those of a folder."""
    columns = dict.fromkeys([*TEXTS, *NUMBERS, *OTHERS])
    rows: dict[str, dict[str, str]] = {}
    if os.path.exists(csv):
        with reading(csv, 'a table of runs'):
            table = pd.read_csv(csv, dtype=str, keep_default_na=False)
            rows = table.set_index(table['key'])[
                list(columns | dict.fromkeys(table))
            ].T.to_dict()
    for path in sorted(glob(os.path.join(escape(folder), '*.json'))):
        with reading(path, 'a run'), open(path, encoding='utf-8') as file:
            row = json.load(file)
            rows[row['key']] = {name: _text(value) for name, value in row.items()}
    for row in rows.values():
        columns |= dict.fromkeys(row)
    lines = [[row.get(name, '') for name in columns] for row in rows.values()]
    out = pd.DataFrame(lines, columns=list(columns), dtype=str)
    for name in NUMBERS:
        out[name] = pd.to_numeric(out[name])
    return out


def save_table(rows: pd.DataFrame, path: str) -> None:
    r"""Writes rows as a table that :func:`load_runs` reads."""
    # Missing for what is not learned, which would make them floats.
    rows = rows.astype({'parameters': 'Int64'})
    with atomic_write(path) as partial:
        rows.to_csv(partial, index=False, float_format='%.6g', lineterminator='\n')


def load_users(folder: str, key: str) -> dict[str, np.ndarray] | None:
    r"""The values of every user of a run, if they are kept."""
    path = os.path.join(folder, f'{key}.npz')
    if not os.path.exists(path):
        return None
    with (
        reading(path, 'the values of users'),
        np.load(path, allow_pickle=False) as arrays,
    ):
        return dict(arrays)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(x) for name, x in value.items()}
    return float(f'{value:.6g}') if isinstance(value, float) else value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return '' if value != value else f'{value:.6g}'
    return json.dumps(value) if isinstance(value, dict) else str(value)
