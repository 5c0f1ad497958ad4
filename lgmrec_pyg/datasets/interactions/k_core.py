import torch
from torch import Tensor

from lgmrec_pyg.evaluation.positive import positive_integer


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
    k = positive_integer('k', k)
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
