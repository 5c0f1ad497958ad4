r"""A cell: one model with one configuration and seed on one dataset."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

# Configurations are compared on one seed; reports use others.
SEARCH_SEED = 0


@dataclass(frozen=True)
class Cell:
    r"""What is run and stored on its own.

    Args:
        study (str): The study it belongs to.
        dataset (str): The name of the dataset.
        model (str): The name of the model.
        config (Dict[str, Any]): The configuration of the model.
        seed (int): The seed of everything random.
        variant (str, optional): What the study changes. (default: :obj:`""`)
        level (str, optional): The value it changes it to. (default: :obj:`""`)
        epochs (int, optional): The maximum number of epochs; zero for models
            without training. (default: :obj:`0`)
        patience (int, optional): The patience of early stopping.
            (default: :obj:`0`)
    """

    study: str
    dataset: str
    model: str
    config: dict[str, Any] = field(default_factory=dict)
    seed: int = SEARCH_SEED
    variant: str = ''
    level: str = ''
    epochs: int = 0
    patience: int = 0

    @property
    def columns(self) -> dict[str, str]:
        r"""What identifies the cell, as text."""
        return {
            'study': self.study,
            'dataset': self.dataset,
            'model': self.model,
            'variant': self.variant,
            'level': self.level,
            'config': config_text(self.config),
            'seed': str(self.seed),
            'epochs': str(self.epochs),
            'patience': str(self.patience),
        }

    @property
    def key(self) -> str:
        r"""A digest of :obj:`columns`, the same in every process."""
        text = json.dumps(self.columns, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        words = [self.dataset, self.model, self.variant, self.level]
        return ' '.join([self.study, *filter(None, words), f'seed {self.seed}'])


def config_text(config: dict[str, Any]) -> str:
    r"""A configuration as JSON with sorted keys."""
    return json.dumps(config, sort_keys=True)
