r"""Draws the planted structure of a synthetic dataset."""

import torch
from torch import Generator, Tensor

NUM_LATENTS = 16
SPREAD = 0.6  # of latent vectors around the center of their group
AFFINITY = 9.0  # the inverse temperature of choices
POPULARITY = 0.4  # the exponent of the power law of items
VIEW_NOISE = 0.2  # of a modality on the latent vectors it sees
NUM_NUISANCES = 32
NUISANCE = 0.7  # the scale of what a modality shows besides the latent vectors
FEATURE_NOISE = 0.3  # of a modality on its features
MIN_INTERACTIONS = 5
CHUNK_SIZE = 1_024


def draw_latents(num_nodes: int, centers: Tensor, rng: Generator) -> Tensor:
    r"""Scatters latent unit vectors around randomly chosen group centers."""
    group = torch.randint(centers.size(0), (num_nodes,), generator=rng)
    noise = torch.randn(num_nodes, centers.size(1), generator=rng)
    return torch.nn.functional.normalize(centers[group] + SPREAD * noise, dim=1)


def draw_counts(num_users: int, num_items: int, total: int, rng: Generator) -> Tensor:
    r"""Draws heavy-tailed numbers of interactions per user that sum up to about
    :obj:`total`.
    """
    excess = torch.rand(num_users, generator=rng).clamp(min=1e-4).pow(-1 / 3) - 1.0
    excess *= max(total / num_users - MIN_INTERACTIONS, 0.0) / excess.mean()
    count = (excess + torch.rand(num_users, generator=rng)).long() + MIN_INTERACTIONS
    return count.clamp(max=num_items // 2)


def draw_pairs(
    user: Tensor, item: Tensor, rank: Tensor, count: Tensor, rng: Generator
) -> Tensor:
    r"""Draws distinct items for every user by affinity and popularity, sorted
    by user.
    """
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


def draw_split(user: Tensor, count: Tensor, rng: Generator) -> Tensor:
    r"""Draws one in ten, but at least one, pair of every user for validation
    (1) and for test (2), and leaves the others for training (0).
    """
    key = torch.rand(user.numel(), generator=rng, dtype=torch.float64)
    perm = (user + key).argsort()
    start = count.cumsum(0) - count
    place = torch.empty_like(perm)
    place[perm] = torch.arange(perm.numel()) - start[user]
    held_out = (count.double() / 10).round().clamp(min=1)[user]
    return (place < held_out).long() + 2 * (
        (place >= held_out) & (place < 2 * held_out)
    ).long()


def draw_cold_items(rank: Tensor, share: float, rng: Generator) -> Tensor:
    r"""Marks a share of all items, drawn from the less popular half."""
    num_items = rank.numel()
    cold = torch.zeros(num_items, dtype=torch.bool)
    candidate = (rank >= num_items // 2).nonzero().flatten()
    perm = torch.randperm(candidate.numel(), generator=rng)
    cold[candidate[perm[: round(share * num_items)]]] = True
    return cold


def draw_features(latents: Tensor, dim: int, rng: Generator) -> Tensor:
    r"""Projects a noisy view of latent vectors to features, together with what
    else there is to see, but does not matter to users.
    """
    num_nodes, num_latents = latents.size()
    noise = torch.randn(num_nodes, num_latents, generator=rng)
    other = torch.randn(num_nodes, NUM_NUISANCES, generator=rng)
    scale = num_latents**-0.5  # of one entry of a unit vector
    view = torch.cat(
        [latents + VIEW_NOISE * scale * noise, NUISANCE * scale * other], dim=1
    )
    x = view @ torch.randn(view.size(1), dim, generator=rng)
    return x + FEATURE_NOISE * torch.randn(x.size(), generator=rng)
