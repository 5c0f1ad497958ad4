from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch_geometric.data import HeteroData, InMemoryDataset

from lgmrec_pyg.graph import INTERACTS, ITEM, USER, describes

NUM_LATENTS = 16
SPREAD = 0.6  # of latent vectors around the center of their group
AFFINITY = 9.0  # the inverse temperature of choices
POPULARITY = 0.4  # the exponent of the power law of items
VIEW_NOISE = 0.2  # of a modality on the latent vectors it sees
NUM_NUISANCES = 32
NUISANCE = 0.7  # the scale of what a modality shows besides the latent vectors
FEATURE_NOISE = 0.3  # of a modality on its features
MIN_INTERACTIONS = 5
MIN_ITEMS = 2 * MIN_INTERACTIONS
CHUNK_SIZE = 1_024

PRESETS: dict[str, dict[str, Any]] = {
    name: {
        'num_users': num_users,
        'num_items': num_items,
        'num_interactions': num_interactions,
        'num_groups': num_groups,
        'feature_dims': {'image': image, 'text': text},
    }
    for name, num_users, num_items, num_interactions, num_groups, image, text in [
        ('tiny', 100, 80, 1_000, 4, 16, 8),
        ('small', 3_000, 2_000, 18_000, 150, 128, 64),
        ('baby', 19_445, 7_050, 160_792, 400, 4_096, 384),
    ]
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
            raise ValueError(f"'preset' needs to be in {[*PRESETS]} (got '{preset}')")
        sizes = dict(PRESETS[preset])
        given = {
            'num_users': num_users,
            'num_items': num_items,
            'num_interactions': num_interactions,
            'num_groups': num_groups,
            'feature_dims': feature_dims,
            'cold_share': cold_share,
            'missing_share': missing_share,
        }
        sizes |= {name: size for name, size in given.items() if size is not None}
        if not 0 <= sizes.get('cold_share', 0) <= 0.5:
            raise ValueError(f"'cold_share' needs to be in [0, 0.5] (got {cold_share})")
        least = MIN_INTERACTIONS * sizes['num_users']
        if sizes['num_interactions'] < least or sizes['num_items'] < MIN_ITEMS:
            needed = f'{MIN_ITEMS} items and {MIN_INTERACTIONS} interactions a user'
            raise ValueError(f'There need to be {needed} at least (got {sizes})')
        data = _generate(**sizes, seed=seed)
        self.data, self.slices = self.collate([data])


def _generate(
    num_users: int,
    num_items: int,
    num_interactions: int,
    num_groups: int,
    feature_dims: dict[str, int],
    cold_share: float,
    missing_share: float,
    seed: int,
) -> HeteroData:
    rng = Generator().manual_seed(seed)
    centers = torch.randn(num_groups, NUM_LATENTS, generator=rng)
    user = _draw_latents(num_users, centers, rng)
    item = _draw_latents(num_items, centers, rng)
    rank = torch.randperm(num_items, generator=rng)
    count = _draw_counts(num_users, num_items, num_interactions, rng)
    pairs = _draw_pairs(user, item, rank, count, rng)
    split = _draw_split(pairs[0], count, rng)
    cold = _draw_cold_items(rank, cold_share, rng)

    data = HeteroData()
    data[USER].num_nodes = num_users
    data[ITEM].num_nodes = num_items
    data[INTERACTS].edge_index = pairs[:, (split == 0) & ~cold[pairs[1]]]
    data[INTERACTS].val_edge_label_index = pairs[:, split == 1]
    data[INTERACTS].test_edge_label_index = pairs[:, split == 2]
    for i, (modality, dim) in enumerate(feature_dims.items()):
        hidden = torch.arange(NUM_LATENTS) % (len(feature_dims) + 1) == i
        has_content = torch.rand(num_items, generator=rng) >= missing_share
        index = has_content.nonzero().flatten()
        data[modality].x = _draw_features(
            item[index].masked_fill(hidden, 0.0), dim, rng
        )
        data[describes(modality)].edge_index = torch.stack(
            [torch.arange(index.numel()), index]
        )
    return data


def _draw_latents(num_nodes: int, centers: Tensor, rng: Generator) -> Tensor:
    group = torch.randint(centers.size(0), (num_nodes,), generator=rng)
    noise = torch.randn(num_nodes, centers.size(1), generator=rng)
    return torch.nn.functional.normalize(centers[group] + SPREAD * noise, dim=1)


def _draw_counts(num_users: int, num_items: int, total: int, rng: Generator) -> Tensor:
    excess = torch.rand(num_users, generator=rng).clamp(min=1e-4).pow(-1 / 3) - 1.0
    excess *= max(total / num_users - MIN_INTERACTIONS, 0.0) / excess.mean()
    count = (excess + torch.rand(num_users, generator=rng)).long() + MIN_INTERACTIONS
    return count.clamp(max=num_items // 2)


def _draw_pairs(
    user: Tensor, item: Tensor, rank: Tensor, count: Tensor, rng: Generator
) -> Tensor:
    # The largest of Gumbel-perturbed logits are a sample without replacement:
    bias = -POPULARITY * (rank + 1).log()
    out = []
    for users in torch.arange(user.size(0)).split(CHUNK_SIZE):
        logits = AFFINITY * (user[users] @ item.t()) + bias
        logits -= torch.empty_like(logits).exponential_(generator=rng).log_()
        index = logits.topk(int(count[users].max()), dim=1).indices
        chosen = torch.arange(index.size(1)) < count[users].view(-1, 1)
        out.append(torch.stack([users[chosen.nonzero()[:, 0]], index[chosen]]))
    return torch.cat(out, dim=1)


def _draw_split(user: Tensor, count: Tensor, rng: Generator) -> Tensor:
    key = torch.rand(user.numel(), generator=rng, dtype=torch.float64)
    perm = (user + key).argsort()
    start = count.cumsum(0) - count
    place = torch.empty_like(perm)
    place[perm] = torch.arange(perm.numel()) - start[user]
    held_out = (count.double() / 10).round().clamp(min=1)[user]
    return (place < held_out).long() + 2 * (
        (place >= held_out) & (place < 2 * held_out)
    ).long()


def _draw_cold_items(rank: Tensor, share: float, rng: Generator) -> Tensor:
    num_items = rank.numel()
    cold = torch.zeros(num_items, dtype=torch.bool)
    candidate = (rank >= num_items // 2).nonzero().flatten()
    perm = torch.randperm(candidate.numel(), generator=rng)
    cold[candidate[perm[: round(share * num_items)]]] = True
    return cold


def _draw_features(latents: Tensor, dim: int, rng: Generator) -> Tensor:
    num_nodes, num_latents = latents.size()
    noise = torch.randn(num_nodes, num_latents, generator=rng)
    other = torch.randn(num_nodes, NUM_NUISANCES, generator=rng)
    scale = num_latents**-0.5  # of one entry of a unit vector
    view = torch.cat(
        [latents + VIEW_NOISE * scale * noise, NUISANCE * scale * other], dim=1
    )
    x = view @ torch.randn(view.size(1), dim, generator=rng)
    return x + FEATURE_NOISE * torch.randn(x.size(), generator=rng)
