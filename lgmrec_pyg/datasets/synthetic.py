from collections.abc import Callable
from typing import Any

import torch
from torch import Generator
from torch_geometric.data import HeteroData, InMemoryDataset

from lgmrec_pyg.datasets.planted import (
    MIN_INTERACTIONS,
    NUM_LATENTS,
    draw_cold_items,
    draw_counts,
    draw_features,
    draw_latents,
    draw_pairs,
    draw_split,
)
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, describes

PRESETS: dict[str, dict[str, Any]] = {
    'tiny': {
        'num_users': 100,
        'num_items': 80,
        'num_interactions': 1_000,
        'num_groups': 4,
        'feature_dims': {'image': 16, 'text': 8},
    },
    'small': {
        'num_users': 3_000,
        'num_items': 2_000,
        'num_interactions': 18_000,
        'num_groups': 150,
        'feature_dims': {'image': 128, 'text': 64},
    },
    'baby': {
        'num_users': 19_445,
        'num_items': 7_050,
        'num_interactions': 160_792,
        'num_groups': 400,
        'feature_dims': {'image': 4_096, 'text': 384},
    },
}


class SyntheticMultimodal(InMemoryDataset):
    r"""A synthetic multimodal recommendation dataset with a planted structure.

    Users and items belong to groups, around whose centers their latent vectors
    :math:`\mathbf{z}_u, \mathbf{z}_i` scatter.
    Users interact with distinct items, drawn with probabilities

    .. math::
        p(i \mid u) \propto \rho_i^{-\gamma} \exp \left( \beta \,
        \mathbf{z}_u^{\top} \mathbf{z}_i \right),

    where :math:`\rho_i` is the popularity rank of the item, a power law.
    The features of each modality are random projections of the item latents,
    of which each modality sees another part, and of latents of its own, which do
    not matter to users.
    Interactions are split at random per user, one in ten, but at least one,
    for validation, and likewise for test.

    Args:
        preset (str, optional): The sizes of the dataset: :obj:`"tiny"`,
            :obj:`"small"` or :obj:`"baby"`, the latter as large and sparse as
            Amazon Baby. (default: :obj:`"small"`)
        num_users (int, optional): The number of users. (default: by preset)
        num_items (int, optional): The number of items. (default: by preset)
        num_interactions (int, optional): The approximate number of
            interactions of all splits. (default: by preset)
        num_groups (int, optional): The number of groups. (default: by preset)
        feature_dims (Dict[str, int], optional): The modalities and the sizes
            of their features. (default: by preset)
        cold_share (float, optional): The share of items that have no training
            pair, all of which are among the less popular half.
            (default: :obj:`0.05`)
        missing_share (float, optional): The share of items that a modality
            does not describe. (default: :obj:`0.05`)
        seed (int, optional): The seed of the random number generator, on which
            the dataset depends alone. (default: :obj:`0`)
        transform (callable, optional): A function/transform that takes in an
            :class:`~torch_geometric.data.HeteroData` object and returns a
            transformed version. The data object will be transformed before
            every access. (default: :obj:`None`)

    Raises:
        ValueError: If the preset is unknown or a size is out of range.
    """

    def __init__(
        self,
        preset: str = 'small',
        num_users: int | None = None,
        num_items: int | None = None,
        num_interactions: int | None = None,
        num_groups: int | None = None,
        feature_dims: dict[str, int] | None = None,
        cold_share: float = 0.05,
        missing_share: float = 0.05,
        seed: int = 0,
        transform: Callable | None = None,
    ) -> None:
        super().__init__(None, transform)
        if preset not in PRESETS:
            raise ValueError(
                f"'preset' needs to be one of {tuple(PRESETS)} (got '{preset}')"
            )
        sizes = PRESETS[preset]
        self.num_users = sizes['num_users'] if num_users is None else num_users
        self.num_items = sizes['num_items'] if num_items is None else num_items
        self.num_interactions = (
            sizes['num_interactions'] if num_interactions is None else num_interactions
        )
        self.num_groups = sizes['num_groups'] if num_groups is None else num_groups
        self.feature_dims = dict(
            sizes['feature_dims'] if feature_dims is None else feature_dims
        )
        self.cold_share = cold_share
        self.missing_share = missing_share
        self.seed = seed
        self._check_sizes()
        self.data, self.slices = self.collate([self.generate_data()])

    def generate_data(self) -> HeteroData:
        rng = Generator().manual_seed(self.seed)
        centers = torch.randn(self.num_groups, NUM_LATENTS, generator=rng)
        user = draw_latents(self.num_users, centers, rng)
        item = draw_latents(self.num_items, centers, rng)
        rank = torch.randperm(self.num_items, generator=rng)
        count = draw_counts(self.num_users, self.num_items, self.num_interactions, rng)
        pairs = draw_pairs(user, item, rank, count, rng)
        split = draw_split(pairs[0], count, rng)
        cold = draw_cold_items(rank, self.cold_share, rng)

        data = HeteroData()
        data[USER].num_nodes = self.num_users
        data[ITEM].num_nodes = self.num_items
        data[INTERACTS].edge_index = pairs[:, (split == 0) & ~cold[pairs[1]]]
        data[INTERACTS].val_edge_label_index = pairs[:, split == 1]
        data[INTERACTS].test_edge_label_index = pairs[:, split == 2]
        for i, (modality, dim) in enumerate(self.feature_dims.items()):
            hidden = torch.arange(NUM_LATENTS) % (len(self.feature_dims) + 1) == i
            has_content = (
                torch.rand(self.num_items, generator=rng) >= self.missing_share
            )
            index = has_content.nonzero().flatten()
            data[modality].x = draw_features(
                item[index].masked_fill(hidden, 0.0), dim, rng
            )
            data[describes(modality)].edge_index = torch.stack(
                [torch.arange(index.numel()), index]
            )
        return data

    def _check_sizes(self) -> None:
        sizes = [
            ('num_users', self.num_users),
            ('num_items', self.num_items),
            ('num_groups', self.num_groups),
            *((f'feature_dims[{m!r}]', dim) for m, dim in self.feature_dims.items()),
        ]
        for name, size in sizes:
            if size <= 0:
                raise ValueError(f"'{name}' needs to be positive (got {size})")
        if {USER, ITEM} & set(self.feature_dims):
            raise ValueError(
                f"'feature_dims' needs to hold modalities other than '{USER}' and "
                f"'{ITEM}' (got {list(self.feature_dims)})"
            )
        if self.num_items < 2 * MIN_INTERACTIONS:
            raise ValueError(
                f"'num_items' needs to be at least {2 * MIN_INTERACTIONS} "
                f'(got {self.num_items})'
            )
        if self.num_interactions < MIN_INTERACTIONS * self.num_users:
            raise ValueError(
                f"'num_interactions' needs to be at least {MIN_INTERACTIONS} times "
                f"'num_users' (got {self.num_interactions} for {self.num_users} users)"
            )
        for name, share in [
            ('cold_share', self.cold_share),
            ('missing_share', self.missing_share),
        ]:
            if not 0 <= share <= 0.5:
                raise ValueError(f"'{name}' needs to be from 0 to 0.5 (got {share})")
