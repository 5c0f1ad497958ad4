r"""The data a cell runs on: a graph, and how its models are judged."""

import os
from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.accuracy.corruptions import corrupt
from benchmarks.accuracy.evaluation import UserEvaluator
from lgmrec_pyg.datasets import MultimodalDataset, SyntheticMultimodal
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    describes,
    modalities,
    model_inputs,
)
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SYNTHETIC = 'synthetic-'
# The modalities to use, in this order; other folders are read in full.
MODALITIES = {
    'lfm2k': ('text', 'audio'),
    'tiktok': ('image', 'audio'),
    'beauty': ('image', 'text'),
}


def halve_features(data: HeteroData) -> HeteroData:
    r"""A copy of the graph with features in bfloat16."""
    data = copy(data)
    for name in modalities(data):
        data[name].x = data[name].x.bfloat16()
    return data


# A configuration names the transforms of its data.
TRANSFORMS: dict[str, Callable[[HeteroData], HeteroData]] = {
    'standardize': StandardizeFeatures(),
    'bfloat16': halve_features,
}


@lru_cache(maxsize=2)
def load_graph(dataset: str, root: str | None, processed_dir: str) -> HeteroData:
    r"""Loads a dataset by the name of its folder, or generates a synthetic one,
    ``synthetic-<preset>``. The folder is only read.
    """
    if dataset.startswith(SYNTHETIC):
        return SyntheticMultimodal(dataset.removeprefix(SYNTHETIC))[0]
    if root is None:
        raise ValueError(
            f"Dataset '{dataset}' needs '--data DIR', the folder that holds "
            f"'{dataset}/{dataset}.inter'"
        )
    processed_dir = os.path.join(processed_dir, dataset)
    names = MODALITIES.get(dataset)
    return MultimodalDataset(root, dataset, names, processed_dir=processed_dir)[0]


class Task:
    r"""A training graph with its evaluators.

    Recommendations exclude all pairs that the model may have been trained on, and
    those that a corruption took away.

    Args:
        name (str): The name of the dataset.
        data (HeteroData): The original graph, which is left as it is.
        transforms (Sequence[str], optional): Names of :obj:`TRANSFORMS`, to apply
            in this order. (default: :obj:`()`)
        variant (str, optional): The name of a corruption; any other name leaves
            the graph as it is. (default: :obj:`""`)
        level (str, optional): How much to damage. (default: :obj:`""`)
        seed (int, optional): The seed of the damage. (default: :obj:`0`)
    """

    def __init__(
        self,
        name: str,
        data: HeteroData,
        transforms: Sequence[str] = (),
        variant: str = '',
        level: str = '',
        seed: int = 0,
    ) -> None:
        self.name = name
        self.known = data[INTERACTS].edge_index
        data = corrupt(data, variant, level, seed)
        for transform in transforms:
            if transform not in TRANSFORMS:
                raise ValueError(
                    f"'transforms' needs to hold names of {list(TRANSFORMS)} "
                    f"(got '{transform}')"
                )
            data = TRANSFORMS[transform](data)
        self.data = data
        self.train = data[INTERACTS].edge_index
        self.num_users = int(data[USER].num_nodes)
        self.num_items = int(data[ITEM].num_nodes)
        mask = torch.cat([self.known, self.train], dim=1).unique(dim=1)
        self.val, self.test = (
            self.evaluator(data[INTERACTS][f'{split}_edge_label_index'], mask)
            for split in ('val', 'test')
        )

    def evaluator(self, labels: Tensor, mask: Tensor) -> UserEvaluator:
        r"""Ranks all items but those in :obj:`mask`."""
        return UserEvaluator(labels, mask, self.num_users, self.num_items, ks=(10, 20))

    @property
    def feature_dims(self) -> dict[str, int]:
        r"""The feature width of every modality."""
        return {name: self.data[name].num_features for name in modalities(self.data)}

    @cached_property
    def graph(self) -> HeteroData:
        r"""The graph with normalized sparse adjacencies."""
        return T.Compose([T.ToUndirected(), DegreeNorm(), ToAdjacency()])(self.data)

    @cached_property
    def inputs(self) -> tuple[Any, ...]:
        r"""The arguments of the forward of LGMRec and its kind."""
        return model_inputs(self.graph)

    @cached_property
    def matrix(self) -> 'csr_array':
        r"""The training pairs as a sparse matrix of users by items."""
        import numpy as np
        from scipy.sparse import csr_array

        ones = np.ones(self.train.size(1), dtype=np.float32)
        user, item = self.train.numpy()
        return csr_array((ones, (user, item)), (self.num_users, self.num_items))

    def features(self, modality: str) -> Tensor:
        r"""One row of features an item: the mean of its nodes, zeros if none."""
        x = self.data[modality].x
        node, item = self.data[describes(modality)].edge_index
        out = x.new_zeros(self.num_items, x.size(1)).index_add_(0, item, x[node])
        count = torch.bincount(item, minlength=self.num_items).clamp_(min=1)
        return out / count.view(-1, 1)

    def sampler(self, batch_size: int) -> TripletSampler:
        r"""Training batches."""
        return TripletSampler(self.train, self.num_users, self.num_items, batch_size)

    def group_of_users(self, users: Tensor, num_groups: int = 4) -> list[str]:
        r"""The group of every user: quantiles of the number of training pairs,
        named by their range.
        """
        count = torch.bincount(self.known[0], minlength=self.num_users)[users]
        q = torch.linspace(0, 1, num_groups + 1, dtype=torch.double)[1:-1]
        bounds = count.double().quantile(q).ceil().long().unique()
        group = torch.bucketize(count, bounds)
        names = {}
        for g in group.unique().tolist():
            low, high = count[group == g].aminmax()
            names[g] = f'{int(low)}-{int(high)}' if low < high else f'{int(low)}'
        return [names[g] for g in group.tolist()]
