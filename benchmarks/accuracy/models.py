r"""The models that take part: how to build one, and what is searched for it."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from torch.nn import Module

from benchmarks.accuracy.baselines import build_lightgcn, build_vbpr
from benchmarks.accuracy.membership_bug import MembershipBugLGMRec
from benchmarks.accuracy.task import Task
from benchmarks.accuracy.yardsticks import ease, graph_filter, item_knn, popularity
from lgmrec_pyg.nn import RECOMMENDED, LGMRec

Config = dict[str, Any]

# What a configuration says about data and training; the rest goes to the builder.
TRAINING = ('transforms', 'lr', 'weight_decay', 'batch_size')
RAW: Config = {'transforms': []}
STANDARDIZED: Config = {'transforms': ['standardize']}
# Datasets whose raw features saturate every model of features.
NEEDS_STANDARDIZED = ('lfm2k',)


@dataclass(frozen=True)
class Entry:
    r"""A model of the suite.

    Args:
        title (str): What tables call it.
        build (Callable): Maps a task and the rest of a configuration to a scorer,
            or, for a learned model, to a module and the arguments of its forward.
        space (Tuple[Dict[str, Any], ...]): The configurations to choose from, in
            the order in which a smaller budget takes them.
        learned (bool, optional): Whether the model is trained, with seeds.
            (default: :obj:`True`)
        extends_lgmrec (bool, optional): Whether the configuration takes the
            arguments of LGMRec, for studies that change them.
            (default: :obj:`False`)
    """

    title: str
    build: Callable[..., Any]
    space: tuple[Config, ...]
    learned: bool = True
    extends_lgmrec: bool = False

    def configs(self, dataset: str, budget: int) -> list[Config]:
        r"""The first distinct configurations for a dataset."""
        out: list[Config] = []
        for config in self.space:
            if 'transforms' in config and dataset in NEEDS_STANDARDIZED:
                names = [x for x in config['transforms'] if x != 'standardize']
                config = config | {'transforms': ['standardize', *names]}
            if config not in out:
                out.append(config)
        return out[:budget]

    def value(self, config: Config, name: str) -> Any:
        r"""What a configuration amounts to, in its own words or by the default of
        LGMRec; :obj:`None` for what is neither.
        """
        parameter = signature(LGMRec).parameters.get(name)
        return config.get(name, parameter and parameter.default)


def build_lgmrec(task: Task, **kwargs: Any) -> tuple[Module, tuple[Any, ...]]:
    r"""LGMRec and the arguments of its forward."""
    kind = MembershipBugLGMRec if kwargs.pop('membership_bug', False) else LGMRec
    model = kind(task.num_users, task.num_items, task.feature_dims, **kwargs)
    return model, task.inputs


def build_collaborative(task: Task, **kwargs: Any) -> tuple[Module, tuple[Any, ...]]:
    r"""LGMRec without modalities, which is LightGCN, with any ranking loss."""
    return LGMRec(task.num_users, task.num_items, {}, **kwargs), task.inputs


SOFTMAX: Config = {'ranking_loss': 'softmax', 'ranking_temperature': 0.2}
TIGHT: Config = {'ranking_temperature': 0.15}

# The settings of the paper for Baby (the defaults), Sports and Clothing.
SPORTS: Config = {'num_collaborative_layers': 4, 'dropout': 0.6, 'alpha': 0.6}
CLOTHING: Config = {
    'num_hypergraph_layers': 2,
    'num_hyperedges': 64,
    'dropout': 0.8,
    'alpha': 0.2,
}

MODELS: dict[str, Entry] = {
    'popularity': Entry('Popularity', popularity, ({},), learned=False),
    'item-knn': Entry(
        'Item kNN',
        item_knn,
        (
            {'k': 100, 'shrink': 0.0},
            {'k': 100, 'shrink': 10.0},
            {'k': 100, 'shrink': 100.0},
            {'k': 500, 'shrink': 10.0},
        ),
        learned=False,
    ),
    'filter': Entry(
        'Graph filter',
        graph_filter,
        (
            {'history': 0.5, 'target': 0.0},
            {'history': 0.5, 'target': 0.25},
            {'history': 0.5, 'target': 0.5},
            {'history': 1.0, 'target': 0.5},
        ),
        learned=False,
    ),
    'filter+content': Entry(
        'Graph filter + features',
        graph_filter,
        (
            STANDARDIZED | {'history': 0.5, 'target': 0.0, 'content': 0.3},
            STANDARDIZED | {'history': 0.5, 'target': 0.25, 'content': 0.3},
            STANDARDIZED | {'history': 0.5, 'target': 0.5, 'content': 0.1},
            STANDARDIZED | {'history': 1.0, 'target': 0.5, 'content': 0.1},
        ),
        learned=False,
    ),
    'ease': Entry(
        'EASE',
        ease,
        tuple({'weight': weight} for weight in (100.0, 30.0, 300.0, 10.0)),
        learned=False,
    ),
    'bpr-mf': Entry(
        'BPR-MF',
        build_lightgcn,
        tuple(
            {'num_layers': 0, 'lr': lr, 'reg_weight': reg}
            for lr, reg in ((5e-3, 5e-3), (5e-3, 1e-3), (5e-3, 2e-2), (1e-3, 1e-3))
        ),
    ),
    'lightgcn': Entry(
        'LightGCN',
        build_lightgcn,
        tuple(
            {'num_layers': layers, 'lr': lr, 'reg_weight': reg}
            for lr, reg in ((5e-3, 1e-3), (5e-3, 5e-3), (1e-3, 1e-4))
            for layers in (2, 4)
        ),
    ),
    'vbpr': Entry(
        'VBPR',
        build_vbpr,
        tuple(
            transforms | {'lr': lr, 'reg_weight': reg}
            for lr, reg in ((5e-3, 5e-3), (5e-3, 1e-3), (5e-3, 2e-2), (1e-3, 1e-3))
            for transforms in (RAW, STANDARDIZED)
        ),
    ),
    'lgmrec': Entry(
        'LGMRec',
        build_lgmrec,
        (
            RAW,
            STANDARDIZED,
            STANDARDIZED | {'lr': 5e-3},
            RAW | {'lr': 5e-3},
            STANDARDIZED | SPORTS,
            STANDARDIZED | SPORTS | {'lr': 5e-3},
            RAW | SPORTS,
            STANDARDIZED | CLOTHING,
        ),
        extends_lgmrec=True,
    ),
    'lightgcn-softmax': Entry(
        'LightGCN, softmax',
        build_collaborative,
        tuple(
            SOFTMAX | {'num_collaborative_layers': layers, 'lr': 5e-3} | more
            for layers, more in ((2, {}), (4, {}), (3, {}), (2, TIGHT))
        ),
    ),
    'recommended': Entry(
        'LGMRec, recommended',
        build_lgmrec,
        (STANDARDIZED | RECOMMENDED | {'lr': 5e-3},),
        extends_lgmrec=True,
    ),
}
