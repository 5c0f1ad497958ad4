from typing import Any

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.evaluation.csr_rows import check_rows, select_rows
from lgmrec_pyg.ops._operators import can_rank

FAN_OUT = 4
DIRECT = 6  # Up to so many times `k`, a selection without groups is faster.


@torch.no_grad()
def topk(
    user_emb: Tensor,
    item_emb: Tensor,
    k: int,
    exclude: tuple[Tensor, Tensor] | None = None,
    users: Tensor | None = None,
    chunk_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Returns the :obj:`k` items with the highest scores

    .. math::
        s_{u,i} = \langle \mathbf{e}_u, \mathbf{e}_i \rangle

    for every user, exactly, and without ever holding more scores than those of
    :obj:`chunk_size` users.

    .. note::

        Users with fewer than :obj:`k` items left after :obj:`exclude` have
        their last scores filled with :obj:`-inf` and their last indices with
        :obj:`-1`.

    .. note::

        Scores are computed in single precision at least. Embeddings need to be
        finite. Of items with equal scores, the C++ loops take those of lower index;
        chunks take any.

    Args:
        user_emb (torch.Tensor): The user embeddings.
        item_emb (torch.Tensor): The item embeddings.
        k (int): The number of items to return, at most the number of items.
        exclude (Tuple[torch.Tensor, torch.Tensor], optional): The items not to
            return for every user in :obj:`user_emb`, in CSR format
            :obj:`(rowptr, col)`. (default: :obj:`None`)
        users (torch.Tensor, optional): The users to rank the items for.
            If :obj:`None`, will rank for all users. (default: :obj:`None`)
        chunk_size (int, optional): The number of users to score at once.
            If :obj:`None`, will rank in C++ loops that store no scores (CPU, single
            precision), or choose a size that suits the device.
            (default: :obj:`None`)

    Shapes:
        - **input:** user embeddings :math:`(|\mathcal{U}|, d)`,
          item embeddings :math:`(|\mathcal{I}|, d)`
        - **output:** scores :math:`(N, k)`, item indices :math:`(N, k)`, with
          :math:`N` the number of :obj:`users`

    Raises:
        ValueError: If :obj:`k` or :obj:`chunk_size` are no positive integers,
            if :obj:`k` is greater than the number of items, or if
            :obj:`exclude` is in another format.
    """
    num_items = item_emb.size(0)
    check_counts(k=k, chunk_size=1 if chunk_size is None else chunk_size)
    if k > num_items:
        raise ValueError(f"'k' needs to be at most {num_items}, all items (got {k})")
    if exclude is not None:
        check_rows(exclude, user_emb.size(0), num_items)
    user_emb, item_emb = at_least_single(user_emb, item_emb)

    if users is not None:
        user_emb = user_emb[users]
        exclude = select_rows(*exclude, users) if exclude is not None else None
    if chunk_size is None:
        if can_rank(user_emb, item_emb):
            rows = exclude or (None, None)
            return torch.ops.lgmrec_pyg.topk(user_emb, item_emb, k, *rows)
        chunk_size = _default_chunk_size(num_items, item_emb.device)
    return _topk_in_chunks(user_emb, item_emb, k, exclude, chunk_size)


def _topk_in_chunks(
    user_emb: Tensor,
    item_emb: Tensor,
    k: int,
    exclude: tuple[Tensor, Tensor] | None,
    chunk_size: int,
) -> tuple[Tensor, Tensor]:
    num_items = item_emb.size(0)
    num_users = user_emb.size(0)
    chunk_size = min(chunk_size, max(num_users, 1))

    width = _padded_width(num_items, k)
    scores = user_emb.new_full((chunk_size, width), -float('inf'))
    masks = _chunk_masks(exclude, width, chunk_size, num_users)
    out_score = user_emb.new_empty((num_users, k))
    out_index = torch.empty_like(out_score, dtype=torch.long)

    for start in range(0, num_users, chunk_size):
        rows = slice(start, min(start + chunk_size, num_users))
        chunk = scores[: rows.stop - start]
        torch.mm(user_emb[rows], item_emb.t(), out=chunk[:, :num_items])
        if masks is not None:
            chunk.view(-1)[masks[start // chunk_size]] = -float('inf')
        index = _select(chunk, k)
        out_score[rows], perm = chunk.gather(1, index).sort(descending=True)
        out_index[rows] = index.gather(1, perm)

    return out_score, out_index.masked_fill_(out_score == -float('inf'), -1)


def check_counts(**counts: Any) -> None:
    r"""Checks that arguments are positive integers, given by their names."""
    for name, value in counts.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"'{name}' needs to be a positive integer (got {value!r})")


def at_least_single(user_emb: Tensor, item_emb: Tensor) -> tuple[Tensor, Tensor]:
    r"""Returns embeddings in one precision that tells scores apart: in half
    precision, they tie, overflow, and rank otherwise.
    """
    dtype = torch.promote_types(user_emb.dtype, item_emb.dtype)
    dtype = torch.promote_types(dtype, torch.float32)
    return user_emb.to(dtype), item_emb.to(dtype)


def _default_chunk_size(num_items: int, device: torch.device) -> int:
    # Measured on a CPU: 6 MB of scores stay in cache from the product to the
    # selection. But every chunk reads all items, which takes longer than scoring
    # them for fewer rows. An accelerator needs more rows at once to be busy.
    if device.type == 'cpu':
        return max(128, 3 * 2**19 // num_items)
    return max(1, 2**25 // num_items)


def _padded_width(num_items: int, k: int) -> int:
    groups = 1
    while num_items // groups > DIRECT * k:
        groups *= FAN_OUT
    return -(-num_items // groups) * groups


def _select(scores: Tensor, k: int) -> Tensor:
    # The best `k` items lie in the `k` groups with the best maxima, so a row is
    # reduced to group maxima first. This is exact, and the selection reads
    # `FAN_OUT * k` scores rather than all.
    num_rows, width = scores.size()
    if width <= DIRECT * k or width % FAN_OUT != 0:
        return scores.topk(k, sorted=False).indices
    num_groups = width // FAN_OUT
    group = _select(scores.view(num_rows, FAN_OUT, num_groups).amax(dim=1), k)
    offset = torch.arange(0, width, num_groups, device=scores.device)
    candidate = (group.unsqueeze(1) + offset.view(1, -1, 1)).view(num_rows, -1)
    best = scores.gather(1, candidate).topk(k, sorted=False).indices
    return candidate.gather(1, best)


def _chunk_masks(
    exclude: tuple[Tensor, Tensor] | None,
    width: int,
    chunk_size: int,
    num_rows: int,
) -> tuple[Tensor, ...] | None:
    r"""The excluded entries of every chunk, as indices into its flat scores."""
    if exclude is None:
        return None
    rowptr, col = exclude
    row = torch.arange(num_rows, device=col.device) % chunk_size
    row = torch.repeat_interleave(row, rowptr.diff())
    count = torch.cat([rowptr[:-1:chunk_size], rowptr[-1:]]).diff()
    return (row * width + col).split(count.tolist())
