from collections.abc import Sequence

import torch
from torch import Tensor


def embed_new_users(item_emb: Tensor, histories: Sequence[Tensor]) -> Tensor:
    r"""Embeds users that the model was not trained on, by the mean of the
    embeddings of the items :math:`\mathcal{N}(u)` that they have:

    .. math::
        \mathbf{e}_u = \frac{1}{|\mathcal{N}(u)|}
        \sum_{i \in \mathcal{N}(u)} \mathbf{e}_i

    Their scores are on another scale than those of trained users, which does not
    matter to the ranking of items for a user.

    Args:
        item_emb (torch.Tensor): The item embeddings
            :math:`(|\mathcal{I}|, d)`.
        histories (Sequence[torch.Tensor]): The indices of the items of every new
            user.

    Raises:
        ValueError: If a history is empty.
    """
    count = torch.tensor([items.numel() for items in histories])
    if (count == 0).any():
        raise ValueError(
            f"'histories' needs to hold at least one item for every user (got none "
            f'for user {int((count == 0).nonzero()[0])})'
        )
    if count.numel() == 0:
        return item_emb.new_empty(0, item_emb.size(1))
    items = torch.cat(list(histories)).to(item_emb.device)
    offset = (count.cumsum(0) - count).to(item_emb.device)
    return torch.nn.functional.embedding_bag(items, item_emb, offset, mode='mean')
