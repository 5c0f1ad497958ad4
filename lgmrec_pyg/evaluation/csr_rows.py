from typing import Any

import torch
from torch import Tensor
from torch_geometric.utils import cumsum

Rows = tuple[Tensor, Tensor]


def select_rows(rowptr: Tensor, col: Tensor, rows: Tensor) -> Rows:
    r"""Returns some rows of a matrix in CSR format.

    Args:
        rowptr (torch.Tensor): The row offsets.
        col (torch.Tensor): The column indices.
        rows (torch.Tensor): The rows to select.
    """
    count = rowptr[rows + 1] - rowptr[rows]
    out_rowptr = cumsum(count)
    shift = torch.repeat_interleave(rowptr[rows] - out_rowptr[:-1], count)
    return out_rowptr, col[torch.arange(shift.numel(), device=col.device) + shift]


def check_rows(exclude: Any, num_rows: int, num_cols: int) -> Rows:
    r"""Returns the items not to recommend as they came, in CSR format.

    Args:
        exclude (Tuple[torch.Tensor, torch.Tensor]): What came.
        num_rows (int): The number of users.
        num_cols (int): The number of items.

    Raises:
        ValueError: If it is something else, such as pairs of users and items.
    """
    if not isinstance(exclude, (tuple, list)) or len(exclude) != 2:
        shape = list(exclude.size()) if isinstance(exclude, Tensor) else ''
        raise _not_csr(num_rows, f'{type(exclude).__name__} {shape}'.strip())
    rowptr, col = exclude
    if rowptr.dim() != 1 or col.dim() != 1 or rowptr.numel() != num_rows + 1:
        raise _not_csr(num_rows, f'shapes {list(rowptr.size())}, {list(col.size())}')
    ends = int(rowptr[0]), int(rowptr[-1])
    if ends != (0, col.numel()) or bool((rowptr.diff() < 0).any()):
        raise _not_csr(num_rows, f'offsets from {ends[0]} to {ends[1]}')
    if col.numel() > 0 and not 0 <= int(col.min()) <= int(col.max()) < num_cols:
        raise ValueError(
            f"'exclude' needs to hold item indices in the range [0, {num_cols - 1}] "
            f'(got {int(col.min())} to {int(col.max())})'
        )
    return rowptr, col


def _not_csr(num_rows: int, got: str) -> ValueError:
    return ValueError(
        f"'exclude' needs to be in CSR format (rowptr, col) with {num_rows + 1} row "
        f'offsets that ascend from 0 to the number of columns, one row per user (got '
        f'{got})'
    )
