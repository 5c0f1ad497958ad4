r"""Model sizes and graphs to train on: the settings of the paper."""

import argparse
import os
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.graphs import Graph, data_folder, power_law_graph
from lgmrec_pyg.datasets.layout import read_interactions
from lgmrec_pyg.graph import INTERACTS, describes
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency


class Setting(NamedTuple):
    r"""The size of a dataset and the model that the paper trains on it."""

    num_users: int
    num_items: int
    num_pairs: tuple[int, int, int]
    model: dict[str, Any]
    feature_dims: dict[str, int]


PAPER_DIMS = {'image': 4096, 'text': 384}
SETTINGS = {
    'baby': Setting(
        19445,
        7050,
        (118551, 21682, 20559),
        {'num_hyperedges': 4, 'dropout': 0.5, 'alpha': 0.3},
        PAPER_DIMS,
    ),
    'sports': Setting(
        35598,
        18357,
        (218409, 40029, 37899),
        {
            'num_collaborative_layers': 4,
            'num_hyperedges': 4,
            'dropout': 0.6,
            'alpha': 0.6,
        },
        PAPER_DIMS,
    ),
    'clothing': Setting(
        39387,
        23033,
        (197338, 41189, 40150),
        {
            'num_hypergraph_layers': 2,
            'num_hyperedges': 64,
            'dropout': 0.8,
            'alpha': 0.2,
        },
        PAPER_DIMS,
    ),
    'small': Setting(
        2000,
        1000,
        (12000, 2000, 2000),
        {'num_hyperedges': 4},
        {'image': 512, 'text': 64},
    ),
}


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


def add_setting_arguments(parser: argparse.ArgumentParser, default: str | None) -> None:
    r"""Adds the options that say what to train."""
    parser.add_argument('--setting', choices=list(SETTINGS), default=default)
    parser.add_argument('--data', metavar='DIR', help='the folder of real graphs')
    parser.add_argument('--batch-size', type=int, default=2048)


def make_workload(args: argparse.Namespace) -> Workload:
    r"""Loads the real graph of a setting from ``--data``, or generates one of
    its size, and draws random features of unit rows.
    """
    setting, device = SETTINGS[args.setting], torch.device(args.device)
    folder = data_folder(args.data)
    path = os.path.join(folder or '', args.setting, f'{args.setting}.inter')
    if folder is not None and os.path.exists(path):
        pairs = read_interactions(path)
        splits = (pairs.train, pairs.val, pairs.test)
        size, name = (pairs.num_users, pairs.num_items), args.setting
    else:
        size, name = (setting.num_users, setting.num_items), f'generated-{args.setting}'
        graph = power_law_graph(sum(setting.num_pairs), *size, seed=args.seed)
        splits = _split(graph, setting.num_pairs)
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = size
    data[INTERACTS].edge_index = splits[0]
    generator = torch.Generator().manual_seed(args.seed)
    for modality, dim in setting.feature_dims.items():
        x = torch.randn(size[1], dim, generator=generator)
        data[modality].x = F.normalize(x)
        index = torch.arange(size[1])
        data[describes(modality)].edge_index = torch.stack([index, index])
    train, val, test = (pairs.to(device) for pairs in splits)
    return Workload(name, data.to(device), train, val, test, setting.model)


def prepare(data: HeteroData, layout: str = 'auto') -> HeteroData:
    r"""The transforms of the library's own pipeline, on a copy."""
    transform = T.Compose([T.ToUndirected(), DegreeNorm(), ToAdjacency(layout)])
    return transform(data)


def _split(graph: Graph, counts: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    train, val, test = graph.edge_index.split(list(counts), dim=1)
    return train, val, test
