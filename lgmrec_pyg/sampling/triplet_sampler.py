import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData
from torch_geometric.utils import cumsum

from lgmrec_pyg.graph import ITEM, USER, training_pairs


class TripletSampler:
    r"""Draws the :obj:`(user, positive, negative)` triplets of the `"BPR:
    Bayesian Personalized Ranking from Implicit Feedback"
    <https://arxiv.org/abs/1205.2618>`_ paper.

    One pass over the sampler is one epoch: every training pair appears exactly
    once, in a fresh random order, with one negative that is uniform over

    .. math::
        \mathcal{I}_{\mathrm{train}} \setminus \mathcal{N}(u),

    the items with at least one training pair minus those of user :math:`u`.
    Negatives are exact without rejection: with the :math:`T` training items
    numbered consecutively and the positives of a user sorted as
    :math:`p_0 < p_1 < \ldots`, a draw :math:`r` from
    :math:`\{0, \ldots, T - |\mathcal{N}(u)| - 1\}` maps to the negative

    .. math::
        r + |\{ j : p_j - j \leq r \}|,

    which a single binary search finds for all triplets at once.
    Everything happens on the device of :obj:`edge_index`.

    Users who interacted with every training item have no negative.
    Their pairs are left out, and a warning says how many.

    Args:
        edge_index (torch.Tensor): The training pairs :obj:`(user, item)` of
            shape :obj:`[2, num_pairs]`.
        num_users (int): The number of users.
        num_items (int): The number of items.
        batch_size (int, optional): The number of triplets in a batch.
            The last batch of an epoch may be smaller. (default: :obj:`2048`)
        generator (torch.Generator, optional): The source of randomness, on the
            device of :obj:`edge_index`. If :obj:`None`, will use the global
            one. (default: :obj:`None`)

    Shapes:
        - **output:** user :math:`(B)`, positive item :math:`(B)`,
          negative item :math:`(B)`

    Raises:
        ValueError: If :obj:`edge_index` holds no pair, an index out of range,
            or only users without a negative.
    """

    def __init__(
        self,
        edge_index: Tensor,
        num_users: int,
        num_items: int,
        batch_size: int = 2048,
        generator: torch.Generator | None = None,
    ) -> None:
        if batch_size <= 0:
            raise ValueError(
                f"'batch_size' needs to be a positive integer (got {batch_size})"
            )
        if isinstance(edge_index, EdgeIndex):
            edge_index = edge_index.as_tensor()
        _check_pairs(edge_index, num_users, num_items)

        self.num_users = num_users
        self.num_items = num_items
        self.batch_size = batch_size
        self.generator = generator

        user, item = edge_index.long()
        self._index_positives(user, item)

        self._has_full_users = bool((self._num_free[user] == 0).any())
        if self._has_full_users:
            user, item = self._drop_full_users(user, item)
        self.user, self.item = user, item

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> 'TripletSampler':
        r"""Samples from the training pairs of a multimodal interaction graph.

        Args:
            data (HeteroData): The multimodal interaction graph.
            **kwargs (optional): Additional arguments of :class:`TripletSampler`.
        """
        sizes = data[USER].num_nodes, data[ITEM].num_nodes
        return cls(training_pairs(data), *sizes, **kwargs)

    def _index_positives(self, user: Tensor, item: Tensor) -> None:
        self.train_items, number = item.unique(return_inverse=True)
        num_train_items = self.train_items.numel()

        # Sorted and free of duplicates: a repeated pair is one positive.
        pair = (user * num_train_items + number).unique()
        row, number = pair // num_train_items, pair % num_train_items

        degree = torch.bincount(row, minlength=self.num_users)
        self._rowptr = cumsum(degree)
        self._num_free = num_train_items - degree

        rank = torch.arange(row.numel(), device=row.device) - self._rowptr[row]
        self._stride = num_train_items + 1
        self._key = row * self._stride + number - rank

    def _drop_full_users(self, user: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        mask = self._num_free[user] > 0
        num_full = int((self._num_free == 0).sum())
        if not bool(mask.any()):
            raise ValueError(
                f"'edge_index' leaves no negative to sample: all "
                f'{num_full} users with training pairs interacted with all '
                f'{self.train_items.numel()} training items'
            )
        warnings.warn(
            f'Left out {int((~mask).sum())} training pairs of {num_full} users '
            f'who interacted with all {self.train_items.numel()} training items '
            f'and so have no negative',
            stacklevel=3,
        )
        return user[mask], item[mask]

    def sample_negatives(self, user: Tensor) -> Tensor:
        r"""Draws one negative item for every entry of :obj:`user`.

        Args:
            user (torch.Tensor): The user indices of shape
                :obj:`[num_samples]`.
        """
        user = user.long()
        num_free = self._num_free[user]
        if self._has_full_users and bool((num_free == 0).any()):
            full = int(user[num_free == 0][0])
            raise ValueError(
                f"'user' {full} interacted with all training items and has no "
                f'negative to sample'
            )
        # The modulus of a 62-bit integer is uniform to within 2^-40.
        draw = torch.randint(
            2**62, user.size(), generator=self.generator, device=user.device
        )
        draw %= num_free
        rank = torch.searchsorted(self._key, user * self._stride + draw, right=True)
        return self.train_items[draw + rank - self._rowptr[user]]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        perm = torch.randperm(
            self.user.numel(), generator=self.generator, device=self.user.device
        )
        user, pos = self.user[perm], self.item[perm]
        neg = self.sample_negatives(user)
        yield from zip(
            user.split(self.batch_size),
            pos.split(self.batch_size),
            neg.split(self.batch_size),
            strict=True,
        )

    def __len__(self) -> int:
        return -(-self.user.numel() // self.batch_size)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_pairs={self.user.numel()}, '
            f'num_train_items={self.train_items.numel()}, '
            f'batch_size={self.batch_size})'
        )


def _check_pairs(edge_index: Tensor, num_users: int, num_items: int) -> None:
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"'edge_index' needs to be of shape [2, num_pairs] "
            f'(got {list(edge_index.size())})'
        )
    if edge_index.size(1) == 0:
        raise ValueError(
            "'edge_index' needs to hold at least one training pair (got 0)"
        )
    for name, index, size in zip(
        ['user', 'item'], edge_index, [num_users, num_items], strict=True
    ):
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= size:
            raise ValueError(
                f"'edge_index' needs to hold {name} indices in the range "
                f'[0, {size - 1}] (got {low if low < 0 else high})'
            )
