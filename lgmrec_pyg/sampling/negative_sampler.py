import torch
from torch import Tensor
from torch_geometric.utils import cumsum


class NegativeSampler:
    r"""Draws items that a user has not interacted with, uniformly from

    .. math::
        \mathcal{I}_{\mathrm{train}} \setminus \mathcal{N}(u),

    the items with at least one training pair minus those of user :math:`u`.
    Negatives are exact without rejection: with the :math:`T` training items
    numbered consecutively and the positives of a user sorted as
    :math:`p_0 < p_1 < \ldots`, a draw :math:`r` from
    :math:`\{0, \ldots, T - |\mathcal{N}(u)| - 1\}` maps to the negative

    .. math::
        r + |\{ j : p_j - j \leq r \}|,

    which a single binary search finds for all draws at once.
    Everything happens on the device of :obj:`edge_index`.

    Args:
        edge_index (torch.Tensor): The training pairs :obj:`(user, item)` of
            shape :obj:`[2, num_pairs]`.
        num_users (int): The number of users.
        generator (torch.Generator, optional): The source of randomness, on the
            device of :obj:`edge_index`. If :obj:`None`, will use the global
            one. (default: :obj:`None`)

    Shapes:
        - **input:** user :math:`(B)`
        - **output:** negative item :math:`(B)`

    Raises:
        ValueError: If a user interacted with all training items.
    """

    def __init__(
        self,
        edge_index: Tensor,
        num_users: int,
        generator: torch.Generator | None = None,
    ) -> None:
        self.generator = generator
        user, item = edge_index.long()
        self.train_items, number = item.unique(return_inverse=True)
        num_train_items = self.train_items.numel()

        # Sorted and free of duplicates: a repeated pair is one positive.
        pair = (user * num_train_items + number).unique()
        row, number = pair // num_train_items, pair % num_train_items

        degree = torch.bincount(row, minlength=num_users)
        self._rowptr = cumsum(degree)
        self.num_free = num_train_items - degree
        self._has_full_users = bool((self.num_free[user] == 0).any())

        rank = torch.arange(row.numel(), device=row.device) - self._rowptr[row]
        self._stride = num_train_items + 1
        self._key = row * self._stride + number - rank

    def __call__(self, user: Tensor) -> Tensor:
        user = user.long()
        num_free = self.num_free[user]
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
