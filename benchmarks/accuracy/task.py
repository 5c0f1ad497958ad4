r"""The data of a run: a graph, and how its models are judged."""

import hashlib
import os
from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import HeteroData

from benchmarks.accuracy.corruptions import corrupt
from lgmrec_pyg.datasets import MultimodalDataset, SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, ITEM, LABELS, USER, modalities, model_inputs
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.transforms import RandomProjection, SimilarItems, StandardizeFeatures

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
    'project': RandomProjection(384),
    'similar': SimilarItems(k=10),
    'similar, uniform': SimilarItems(k=10, weight='uniform'),
    'similar, union': SimilarItems(k=10, union=True),
}


class Source(NamedTuple):
    r"""Where data are.

    Args:
        folders (Dict[str, str]): The folder of every dataset but generated ones.
        cache (str): The folder of processed data.
    """

    folders: dict[str, str]
    cache: str

    def load(self, name: str) -> HeteroData:
        r"""Loads a dataset, or generates a synthetic one, ``synthetic-<preset>``."""
        return _load(name, self.folders.get(name), self.cache)


@lru_cache(maxsize=2)
def _load(name: str, folder: str | None, cache: str) -> HeteroData:
    if folder is None:
        return SyntheticMultimodal(name.removeprefix(SYNTHETIC))[0]
    where = hashlib.sha256(os.path.abspath(folder).encode()).hexdigest()[:8]
    return MultimodalDataset.from_folder(
        folder,
        modalities=MODALITIES.get(name),
        processed_dir=os.path.join(cache, f'{name}-{where}'),
    )[0]


def digest(data: HeteroData) -> str:
    r"""Tells data apart: sizes, pairs, and the scale of features."""
    sizes = [data[USER].num_nodes, data[ITEM].num_nodes]
    out = hashlib.sha256(repr(sizes).encode())
    for name in ('edge_index', *LABELS):
        pairs = data[INTERACTS][name].to(torch.int64)
        key = (pairs[0] * sizes[1] + pairs[1]).sort().values
        out.update(key.numpy().tobytes() + b'|')
    for name in modalities(data):
        x = data[name].x.double()
        # The last digits of generated features differ between machines.
        out.update(f'{name} {list(x.shape)} {x.mean():.3g} {x.std():.3g}'.encode())
    return out.hexdigest()[:8]


class Task:
    r"""A training graph with its evaluators, which exclude all pairs that the model
    may have been trained on, and those that a corruption took away.

    Args:
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
        data: HeteroData,
        transforms: Sequence[str] = (),
        variant: str = '',
        level: str = '',
        seed: int = 0,
    ) -> None:
        self.known = data[INTERACTS].edge_index
        self._raw = corrupt(data, variant, level, seed)
        self._transforms = [TRANSFORMS[name] for name in transforms]
        self.data = T.Compose(self._transforms)(self._raw)
        self.train = self.data[INTERACTS].edge_index
        self.num_users = int(data[USER].num_nodes)
        self.num_items = int(data[ITEM].num_nodes)
        mask = torch.cat([self.known, self.train], dim=1)
        self.val, self.test = (
            self.evaluator(data[INTERACTS][name], mask) for name in LABELS
        )

    def evaluator(self, labels: Tensor, known: Tensor) -> Evaluator:
        r"""Ranks all items but the known ones."""
        return Evaluator(labels, known, self.num_users, self.num_items, ks=(10, 20))

    @cached_property
    def inputs(self) -> tuple[Any, ...]:
        r"""The arguments of the forward of all models."""
        return model_inputs(self.data)

    def permuted(self, modality: str, generator: torch.Generator) -> tuple[Any, ...]:
        r"""The same, with the features of one modality dealt to other items."""
        data = copy(self._raw)
        x = data[modality].x
        data[modality].x = x[torch.randperm(x.size(0), generator=generator)]
        return model_inputs(T.Compose(self._transforms)(data))

    def sampler(self, batch_size: int) -> TripletSampler:
        r"""Training batches."""
        return TripletSampler(self.train, self.num_users, self.num_items, batch_size)

    @cached_property
    def matrix(self) -> 'csr_array':
        r"""The training pairs as a sparse matrix of users by items."""
        from scipy.sparse import csr_array

        ones = np.ones(self.train.size(1), dtype=np.float32)
        user, item = self.train.numpy()
        return csr_array((ones, (user, item)), (self.num_users, self.num_items))
