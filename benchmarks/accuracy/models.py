r"""The models that take part: how to build one, and what is searched for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from itertools import product
from typing import Any

from torch_geometric.data import HeteroData

import lgmrec_pyg.nn
from benchmarks.accuracy.baselines import (
    VBPR,
    GraphRecommender,
    MembershipBugLGMRec,
)
from benchmarks.accuracy.yardsticks import ease, graph_filter, item_knn, popularity
from lgmrec_pyg.graph import ITEM, USER
from lgmrec_pyg.nn import PAPER, RECOMMENDED, LGMRec

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
        build (Callable): Maps a graph and the rest of a configuration to a module
            with :meth:`forward`, :meth:`loss` and :meth:`embed`, that takes what
            :func:`~lgmrec_pyg.graph.model_inputs` returns; for a yardstick, maps a
            :class:`Task` to a scorer.
        space (Tuple[Dict[str, Any], ...]): The configurations to choose from, in
            the order in which a smaller budget takes them.
        learned (bool, optional): Whether the model is trained, with seeds.
            (default: :obj:`True`)
        featured (bool, optional): Whether it reads the features of items.
            (default: :obj:`True`)
        extends_lgmrec (bool, optional): Whether the configuration takes the
            arguments of LGMRec, for studies that change them.
            (default: :obj:`False`)
    """

    title: str
    build: Callable[..., Any]
    space: tuple[Config, ...] = (RAW,)
    learned: bool = True
    featured: bool = True
    extends_lgmrec: bool = False

    def configs(self, dataset: str, budget: int | None = None) -> list[Config]:
        r"""The first distinct configurations for a dataset."""
        out: list[Config] = []
        for config in self.space:
            if 'transforms' in config and dataset in NEEDS_STANDARDIZED:
                names = [x for x in config['transforms'] if x != 'standardize']
                config = config | {'transforms': ['standardize', *names]}
            if config not in out:
                out.append(config)
        return out[:budget]

    def model(self, data: HeteroData, config: Config) -> Any:
        r"""Builds a learned model."""
        options = {key: x for key, x in config.items() if key not in TRAINING}
        return self.build(data, **options)

    def value(self, config: Config, name: str) -> Any:
        r"""What a configuration amounts to, in its own words or by the default of
        LGMRec; :obj:`None` for what is neither.
        """
        parameter = signature(LGMRec).parameters.get(name)
        return config.get(name, parameter and parameter.default)


def grid(*bases: Config, **values: tuple[Any, ...]) -> tuple[Config, ...]:
    r"""All combinations of values, each added to every base before the next one."""
    return tuple(
        base | dict(zip(values, combination, strict=True))
        for combination in product(*values.values())
        for base in bases or ({},)
    )


def build_lgmrec(
    data: HeteroData, membership_bug: bool = False, **kwargs: Any
) -> LGMRec:
    r"""LGMRec, or that of the first published numbers."""
    kind = MembershipBugLGMRec if membership_bug else LGMRec
    return kind.from_data(data, **kwargs)


def build_collaborative(data: HeteroData, **kwargs: Any) -> LGMRec:
    r"""LGMRec without modalities, which is LightGCN, with any ranking loss."""
    return LGMRec(data[USER].num_nodes, data[ITEM].num_nodes, {}, **kwargs)


def _published(name: str) -> Config:
    r"""What the paper sets otherwise than for Baby, whose settings are defaults."""
    baby = PAPER['baby'].model
    return {key: x for key, x in PAPER[name].model.items() if x != baby[key]}


SOFTMAX: Config = {'ranking_loss': 'softmax', 'ranking_temperature': 0.2, 'lr': 5e-3}
PRESET: Config = {
    'transforms': ['standardize', 'similar'],
    'lr': RECOMMENDED.lr,
} | RECOMMENDED.model
SPORTS, CLOTHING = _published('sports'), _published('clothing')
# Pairs of a learning rate and a weight of the regularization.
RATES = ((5e-3, 5e-3), (5e-3, 1e-3), (5e-3, 2e-2), (1e-3, 1e-3))
REGULARIZED = tuple({'lr': lr, 'reg_weight': reg} for lr, reg in RATES)

# The learning rates of models that are searched for nothing else.
LRS = (1e-3, 5e-3, 5e-4, 1e-2)
# The models that stand beside LGMRec, with the transforms that they need.
RIVALS: dict[str, tuple[str, ...]] = {
    'VBPR': (),
    'LATTICE': ('similar',),
    'BM3': (),
    'FREEDOM': ('similar, uniform',),
    'MGCN': ('similar',),
    'SMORE': ('similar, union',),
    'MIGGT': ('project',),
    'DGR': (),
    'SRGFormer': (),
    'GMGL': (),
    'PGL': ('similar, uniform',),
}
# Of these, with features that are trained along, too, as in their public codes.
LEARNED = ('FREEDOM', 'MGCN')


def _rivals() -> Iterator[tuple[str, Entry]]:
    r"""Each with its own loss, and with a softmax over all items."""
    for name, needs in RIVALS.items():
        kind = getattr(lgmrec_pyg.nn, name)
        scales = ((), ('standardize',)) if kind.needs_modalities else ((),)
        bases = ({'transforms': [*scale, *needs]} for scale in scales)
        space = grid(*bases, lr=LRS)
        entry = Entry(name, kind.from_data, space, featured=kind.needs_modalities)
        if name != 'VBPR':  # Below, in the form that there are results of.
            yield name.lower(), entry
        softmax = tuple(SOFTMAX | config for config in space)
        yield (
            f'{name.lower()}-softmax',
            replace(entry, title=f'{name}, softmax', space=softmax),
        )
        if name in LEARNED:
            # Not featured: what a study changes in the graph later is not read.
            build = partial(lgmrec_pyg.nn.LearnedFeatures.from_data, backbone=name)
            title = f'{name}, trained features'
            learned = replace(entry, title=title, build=build, featured=False)
            yield f'{name.lower()}-learned', learned


MODELS: dict[str, Entry] = {
    'popularity': Entry('Popularity', popularity, ({},), learned=False, featured=False),
    'item-knn': Entry(
        'Item kNN',
        item_knn,
        (*grid(k=(100,), shrink=(0.0, 10.0, 100.0)), {'k': 500, 'shrink': 10.0}),
        learned=False,
        featured=False,
    ),
    'filter': Entry(
        'Graph filter',
        graph_filter,
        (
            *grid(history=(0.5,), target=(0.0, 0.25, 0.5)),
            {'history': 1.0, 'target': 0.5},
        ),
        learned=False,
        featured=False,
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
        grid(weight=(100.0, 30.0, 300.0, 10.0)),
        learned=False,
        featured=False,
    ),
    'bpr-mf': Entry(
        'BPR-MF',
        GraphRecommender.from_data,
        tuple({'num_layers': 0} | config for config in REGULARIZED),
        featured=False,
    ),
    'lightgcn': Entry(
        'LightGCN',
        GraphRecommender.from_data,
        tuple(
            {'num_layers': layers, 'lr': lr, 'reg_weight': reg}
            for lr, reg in ((5e-3, 1e-3), (5e-3, 5e-3), (1e-3, 1e-4))
            for layers in (2, 4)
        ),
        featured=False,
    ),
    'vbpr': Entry(
        'VBPR',
        VBPR.from_data,
        tuple(base | config for config in REGULARIZED for base in (RAW, STANDARDIZED)),
    ),
    **dict(_rivals()),
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
    'lgmrec-softmax': Entry(
        'LGMRec, softmax',
        build_lgmrec,
        tuple(SOFTMAX | config for config in grid(RAW, STANDARDIZED, lr=LRS)),
    ),
    'lightgcn-softmax': Entry(
        'LightGCN, softmax',
        build_collaborative,
        (
            *(SOFTMAX | {'num_collaborative_layers': layers} for layers in (2, 4, 3)),
            SOFTMAX | {'num_collaborative_layers': 2, 'ranking_temperature': 0.15},
        ),
        featured=False,
    ),
    'recommended': Entry(
        'LGMRec, recommended',
        build_lgmrec,
        (PRESET,),
        extends_lgmrec=True,
    ),
    'recommended-new': Entry(
        'LGMRec, recommended, for new items',
        build_lgmrec,
        (PRESET | {'new_item_rate': 0.1},),
    ),
}
