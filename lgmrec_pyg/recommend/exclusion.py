from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex

from lgmrec_pyg.evaluation.csr_rows import Rows, select_rows
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.ops.csr import from_coo
from lgmrec_pyg.recommend.known_ids import as_list, encode


def compress(pairs: Tensor | None, num_users: int, num_items: int) -> Rows:
    r"""Returns the items of every user in CSR format :obj:`(rowptr, col)`.

    Args:
        pairs (torch.Tensor, optional): The pairs :obj:`(user, item)` of shape
            :math:`(2, |\mathcal{E}|)`, in any order.
        num_users (int): The number of users.
        num_items (int): The number of items.

    Raises:
        ValueError: If the pairs are of another shape or out of range.
    """
    if pairs is None:
        pairs = torch.empty(2, 0, dtype=torch.long)
    if isinstance(pairs, EdgeIndex):
        pairs = pairs.as_tensor()
    if not isinstance(pairs, Tensor):
        raise ValueError(
            f"'seen' needs to be an int64 tensor of shape [2, *] (got "
            f'{type(pairs).__name__})'
        )
    if pairs.dim() != 2 or pairs.size(0) != 2 or pairs.dtype != torch.long:
        raise ValueError(
            f"'seen' needs to be an int64 tensor of shape [2, *] (got {pairs.dtype}, "
            f'{list(pairs.size())})'
        )
    try:
        rowptr, col, *_ = from_coo(pairs[0], pairs[1], None, (num_users, num_items))
    except ValueError as error:
        raise ValueError(f"'seen' needs to hold user and item indices: {error}") from (
            error
        )
    return rowptr, col


def exclusion(seen: Rows, rows: Tensor, exclude: Any, items: IdMap) -> Rows | None:
    r"""Returns the items not to recommend to some users in CSR format.

    Args:
        seen (Tuple[torch.Tensor, torch.Tensor]): The items of every user.
        rows (torch.Tensor): The users.
        exclude (str or Sequence, optional): :obj:`"seen"`, :obj:`None`, or the
            ids of items that are not recommended besides those seen.
        items (IdMap): The ids of the items.

    Raises:
        ValueError: If :obj:`exclude` is none of them.
    """
    if exclude is None:
        return None
    if isinstance(exclude, str):
        if exclude != 'seen':
            raise ValueError(
                f"'exclude' needs to be 'seen', None or a sequence of item ids (got "
                f"'{exclude}')"
            )
        return select_rows(*seen, rows)
    extra = encode(items, as_list(exclude), 'exclude').to(rows.device)
    return _append(*select_rows(*seen, rows), extra, len(items))


def _append(rowptr: Tensor, col: Tensor, extra: Tensor, num_items: int) -> Rows:
    num_rows = rowptr.numel() - 1
    every = torch.arange(num_rows, device=col.device)
    row = torch.repeat_interleave(every, rowptr.diff())
    row = torch.cat([row, every.repeat_interleave(extra.numel())])
    col = torch.cat([col, extra.repeat(num_rows)])
    out_rowptr, out_col, *_ = from_coo(row, col, None, (num_rows, num_items))
    return out_rowptr, out_col
