import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import ITEM, USER, training_pairs
from lgmrec_pyg.sampling.negative_sampler import NegativeSampler


class TripletSampler:
    r"""Draws the :obj:`(user, positive, negative)` triplets of the `"BPR:
    Bayesian Personalized Ranking from Implicit Feedback"
    <https://arxiv.org/abs/1205.2618>`_ paper.

    One pass over the sampler is one epoch: every training pair appears exactly
    once, in a fresh random order, with one negative of a
    :class:`~lgmrec_pyg.sampling.NegativeSampler`.
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
        if not isinstance(batch_size, int) or batch_size <= 0:
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

        edge_index = edge_index.long()
        self.negatives = NegativeSampler(edge_index, num_users, generator)
        self.user, self.item = self._with_negatives(*edge_index)

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> 'TripletSampler':
        r"""Samples from the training pairs of a multimodal interaction graph.

        Args:
            data (HeteroData): The multimodal interaction graph.
            **kwargs (optional): Additional arguments of :class:`TripletSampler`.
        """
        sizes = data[USER].num_nodes, data[ITEM].num_nodes
        return cls(training_pairs(data), *sizes, **kwargs)

    def _with_negatives(self, user: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        mask = self.negatives.num_free[user] > 0
        if bool(mask.all()):
            return user, item
        num_full = int((self.negatives.num_free == 0).sum())
        num_items = self.negatives.train_items.numel()
        if not bool(mask.any()):
            raise ValueError(
                f"'edge_index' leaves no negative to sample: all "
                f'{num_full} users with training pairs interacted with all '
                f'{num_items} training items'
            )
        warnings.warn(
            f'Left out {int((~mask).sum())} training pairs of {num_full} users '
            f'who interacted with all {num_items} training items and so have no '
            f'negative',
            stacklevel=3,
        )
        return user[mask], item[mask]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        perm = torch.randperm(
            self.user.numel(), generator=self.generator, device=self.user.device
        )
        user, pos = self.user[perm], self.item[perm]
        neg = self.negatives(user)
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
            f'num_train_items={self.negatives.train_items.numel()}, '
            f'batch_size={self.batch_size})'
        )


def _check_pairs(edge_index: Tensor, num_users: int, num_items: int) -> None:
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.numel() == 0:
        raise ValueError(
            f"'edge_index' needs to hold training pairs of shape [2, num_pairs] "
            f'(got {list(edge_index.size())})'
        )
    sizes = {'user': num_users, 'item': num_items}
    for index, (name, size) in zip(edge_index, sizes.items(), strict=True):
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= size:
            raise ValueError(
                f"'edge_index' needs to hold {name} indices in the range "
                f'[0, {size - 1}] (got {low if low < 0 else high})'
            )
