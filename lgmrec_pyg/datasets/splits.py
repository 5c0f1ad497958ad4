r"""Cores of interactions, and splits into training (0), validation (1) and test (2)."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

TRAIN, VAL, TEST, DROPPED = 0, 1, 2, -1
SPLITS = ('random', 'leave_one_out', 'time')


def k_core(edge_index: Tensor, k: int) -> Tensor:
    r"""Marks the interactions of the :math:`k`-core: the largest set of them in
    which every user and every item has at least :math:`k`.

    Users and items with fewer interactions are removed over and over again,
    until none are left.

    Args:
        edge_index (torch.Tensor): The pairs of users and items, each once.
        k (int): The number of interactions.

    Shapes:
        - **input:** pairs :math:`(2, |\mathcal{E}|)`
        - **output:** a mask :math:`(|\mathcal{E}|)`

    Raises:
        ValueError: If :obj:`k` is no positive integer.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"'k' needs to be a positive integer (got {k!r})")
    if k == 1:
        return torch.ones_like(edge_index[0], dtype=torch.bool)
    index = torch.arange(edge_index.size(1), device=edge_index.device)
    while True:
        user, item = edge_index[:, index]
        good = user.bincount()[user] >= k
        good &= item.bincount()[item] >= k
        if good.all():
            break
        index = index[good]
    mask = torch.zeros_like(edge_index[0], dtype=torch.bool)
    mask[index] = True
    return mask


def random_split(
    edge_index: Tensor,
    val_ratio: float = 0.1,
    test_ratio: float = 0.1,
    seed: int = 0,
) -> Tensor:
    r"""Withholds a random part of the interactions of every user.

    A user's share of pairs is rounded down, but at least one. A user with too
    few pairs to leave one for training keeps all of them for training.
    The result depends on the set of pairs and the seed, not on their order.

    Args:
        edge_index (torch.Tensor): The pairs of users and items, each once.
        val_ratio (float, optional): The share of pairs for validation.
            (default: :obj:`0.1`)
        test_ratio (float, optional): The share of pairs for test.
            (default: :obj:`0.1`)
        seed (int, optional): The seed of the random number generator.
            (default: :obj:`0`)

    Shapes:
        - **input:** pairs :math:`(2, |\mathcal{E}|)`
        - **output:** labels :math:`(|\mathcal{E}|)`, which are 0 (training),
          1 (validation) or 2 (test)

    Raises:
        ValueError: If the ratios are negative or leave nothing for training.
    """
    check_ratios(val_ratio, test_ratio)
    place, count = _place_from_end(edge_index, _draw(edge_index, seed))
    num_val = _share(count, val_ratio).clamp(min=int(val_ratio > 0))
    num_test = _share(count, test_ratio).clamp(min=int(test_ratio > 0))
    return _withhold(place, count, num_val, num_test)


def leave_one_out_split(
    edge_index: Tensor,
    time: Tensor | None = None,
    seed: int = 0,
    num_val: int = 1,
    num_test: int = 1,
) -> Tensor:
    r"""Withholds two interactions of every user: the last one for test, and the
    one before for validation.

    A user with too few pairs to leave one for training keeps all of them for
    training.
    Pairs of the same time are ordered by item.
    The result does not depend on the order of the pairs.

    Args:
        edge_index (torch.Tensor): The pairs of users and items, each once.
        time (torch.Tensor, optional): When the interactions happened.
            If :obj:`None`, will withhold random ones. (default: :obj:`None`)
        seed (int, optional): The seed of the random number generator.
            (default: :obj:`0`)
        num_val (int, optional): The number of pairs for validation.
            (default: :obj:`1`)
        num_test (int, optional): The number of pairs for test. (default: :obj:`1`)

    Shapes:
        - **input:** pairs :math:`(2, |\mathcal{E}|)`,
          time :math:`(|\mathcal{E}|)` *(optional)*
        - **output:** labels :math:`(|\mathcal{E}|)`, which are 0 (training),
          1 (validation) or 2 (test)

    Raises:
        ValueError: If a time is NaN or infinite.
    """
    key = _draw(edge_index, seed) if time is None else time
    _check_times(key)
    place, count = _place_from_end(edge_index, key)
    nums = torch.full_like(count, num_val), torch.full_like(count, num_test)
    return _withhold(place, count, *nums)


def time_split(
    edge_index: Tensor,
    time: Tensor,
    val_ratio: float = 0.1,
    test_ratio: float = 0.1,
    split_at: tuple[float, float] | None = None,
) -> Tensor:
    r"""Withholds the latest interactions of all users: first training, then
    validation, then test, divided at two points in time.

    Interactions of the same time are never divided, and belong to the later
    part. Withheld pairs of users or items that have no training pair are
    dropped with a warning: nothing is known of them yet.

    Args:
        edge_index (torch.Tensor): The pairs of users and items, each once.
        time (torch.Tensor): When the interactions happened.
        val_ratio (float, optional): The share of pairs for validation.
            (default: :obj:`0.1`)
        test_ratio (float, optional): The share of pairs for test.
            (default: :obj:`0.1`)
        split_at (Tuple[float, float], optional): The times at which validation and
            test begin, instead of their shares. (default: :obj:`None`)

    Shapes:
        - **input:** pairs :math:`(2, |\mathcal{E}|)`, time :math:`(|\mathcal{E}|)`
        - **output:** labels :math:`(|\mathcal{E}|)`, which are 0 (training),
          1 (validation), 2 (test) or -1 (dropped)

    Raises:
        ValueError: If the ratios are negative or leave nothing for training, or if
            the times are not ascending, or NaN or infinite.
    """
    check_ratios(val_ratio, test_ratio)
    _check_times(time)
    label = torch.zeros_like(edge_index[0])
    order, num_pairs = time.sort().values, time.numel()
    begins: Sequence[Any] = () if split_at is None else split_at
    if split_at is None:
        ratios = val_ratio + test_ratio, test_ratio
        shares = [int(_share(torch.tensor(num_pairs), ratio)) for ratio in ratios]
        begins = [order[num_pairs - x].item() if x > 0 else None for x in shares]
    elif split_at[0] > split_at[1]:
        raise ValueError(f"'split_at' needs to hold ascending times (got {split_at})")
    for value, begin in zip((VAL, TEST), begins, strict=True):
        if begin is not None:  # Beside a fraction, integers would be rounded.
            exact = time.is_floating_point() or math.isinf(begin)
            begin = begin if exact else math.ceil(begin)
            label[time >= begin] = value
    for row in edge_index:
        num_nodes = row.bincount().numel()
        count = row[label == TRAIN].bincount(minlength=num_nodes)
        label[count[row] == 0] = DROPPED
    dropped, kept = int((label == DROPPED).sum()), int((label > TRAIN).sum())
    if dropped > 0:
        warnings.warn(
            f'Splitting by time drops {dropped} of {dropped + kept} pairs for '
            f'validation and test, whose user or item has no training pair',
            stacklevel=2,
        )
    return label


def _check_times(time: Tensor) -> None:
    if not bool(time.isfinite().all()):
        raise ValueError("'time' needs to be finite (got NaN or infinite values)")


def check_ratios(val_ratio: float, test_ratio: float) -> None:
    r"""Raises an error if ratios are negative, or leave nothing for training."""
    if not (min(val_ratio, test_ratio) >= 0 and val_ratio + test_ratio < 1):
        got = f'(got {val_ratio}, {test_ratio})'
        raise ValueError(f"'val_ratio', 'test_ratio' need to be >= 0, of sum < 1 {got}")


def _withhold(
    place: Tensor, count: Tensor, num_val: Tensor, num_test: Tensor
) -> Tensor:
    label = torch.full_like(place, TRAIN)
    label[place < num_test + num_val] = VAL
    label[place < num_test] = TEST
    label[num_test + num_val >= count] = TRAIN
    return label


def _place_from_end(edge_index: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    r"""The place of every pair among those of its user by descending key, and
    how many these are.
    """
    user, perm = edge_index[0], _order(edge_index)
    perm = perm[key[perm].argsort(stable=True)]
    perm = perm[user[perm].argsort(stable=True)]
    count = user.bincount()
    from_end = count.cumsum(0)[user[perm]]
    from_end -= torch.arange(1, perm.numel() + 1)
    place = torch.empty_like(perm)
    place[perm] = from_end
    return place, count[user]


def _draw(edge_index: Tensor, seed: int) -> Tensor:
    perm = _order(edge_index)
    generator = torch.Generator().manual_seed(seed)
    key = torch.empty(perm.numel(), dtype=torch.double)
    key[perm] = torch.rand(perm.numel(), dtype=torch.double, generator=generator)
    return key


def _order(edge_index: Tensor) -> Tensor:
    user, item = edge_index
    step = user.diff()
    if bool(((step > 0) | ((step == 0) & (item.diff() >= 0))).all()):
        return torch.arange(user.numel(), device=user.device)
    perm = item.argsort(stable=True)
    return perm[user[perm].argsort(stable=True)]


def _share(count: Tensor, ratio: float) -> Tensor:
    # Products such as 0.29 * 100 fall just short of the integer they stand for:
    return (count.double() * ratio + 1e-9).floor().long()
