r"""Model sizes and graphs to train on: the settings of the paper."""

import argparse
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.graphs import data_folder, power_law_graph
from lgmrec_pyg.datasets import read_interactions
from lgmrec_pyg.graph import INTERACTS, describes
from lgmrec_pyg.nn import PAPER


class Setting(NamedTuple):
    r"""The size of a dataset and the model that the paper trains on it."""

    num_users: int
    num_items: int
    num_pairs: tuple[int, int, int]
    model: dict[str, Any]
    feature_dims: dict[str, int]


DIMS = {'image': 4096, 'text': 384}
SIZES: dict[str, tuple[int, int, tuple[int, int, int]]] = {
    'baby': (19445, 7050, (118551, 21682, 20559)),
    'sports': (35598, 18357, (218409, 40029, 37899)),
    'clothing': (39387, 23033, (197338, 41189, 40150)),
}
SETTINGS = {name: Setting(*x, PAPER[name].model, DIMS) for name, x in SIZES.items()}
SETTINGS['small'] = Setting(
    2000, 1000, (12000, 2000, 2000), PAPER['baby'].model, {'image': 512, 'text': 64}
)


class Workload(NamedTuple):
    r"""A graph with generated features, ready for both sides."""

    name: str
    data: HeteroData
    train: Tensor
    val: Tensor
    test: Tensor
    model: dict[str, Any]

    @property
    def num_users(self) -> int:
        return int(self.data['user'].num_nodes)

    @property
    def num_items(self) -> int:
        return int(self.data['item'].num_nodes)

    @property
    def case(self) -> dict[str, object]:
        r"""The columns that identify it."""
        return {
            'setting': self.name,
            'users': self.num_users,
            'items': self.num_items,
            'edges': self.train.size(1),
        }


def parse_setting(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, default: str
) -> argparse.Namespace:
    r"""Parses the options of a suite, and those that say what to train."""
    parser.add_argument('--setting', choices=list(SETTINGS))
    parser.add_argument('--data', metavar='DIR', help='the folder of real graphs')
    parser.add_argument('--batch-size', type=int, default=2048)
    args = parser.parse_args(argv)
    args.setting = args.setting or ('small' if args.quick else default)
    return args


def make_workload(args: argparse.Namespace) -> Workload:
    r"""Loads the real graph of a setting from ``--data``, or generates one of
    its size, and draws random features of unit rows.
    """
    setting, device = SETTINGS[args.setting], torch.device(args.device)
    folder = data_folder(args.data)
    path = os.path.join(folder or '', args.setting, f'{args.setting}.inter')
    if args.data and not os.path.exists(path):
        raise SystemExit(
            f"'--data' needs to name the folder that holds '{args.setting}/"
            f"{args.setting}.inter' (got {args.data!r})"
        )
    if folder is not None and os.path.exists(path):
        pairs = read_interactions(path)
        train, val, test = pairs.train, pairs.val, pairs.test
        size, name = (pairs.num_users, pairs.num_items), args.setting
    else:
        size, name = (setting.num_users, setting.num_items), f'generated-{args.setting}'
        graph = power_law_graph(sum(setting.num_pairs), *size, seed=args.seed)
        train, val, test = graph.edge_index.split(list(setting.num_pairs), dim=1)
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = size
    data[INTERACTS].edge_index = train
    generator = torch.Generator().manual_seed(args.seed)
    for modality, dim in setting.feature_dims.items():
        x = torch.randn(size[1], dim, generator=generator)
        data[modality].x = F.normalize(x)
        index = torch.arange(size[1])
        data[describes(modality)].edge_index = torch.stack([index, index])
    train, val, test = (pairs.to(device) for pairs in (train, val, test))
    return Workload(name, data.to(device), train, val, test, setting.model)
