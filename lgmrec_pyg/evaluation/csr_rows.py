from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.utils import coalesce, cumsum
from torch_geometric.utils.sparse import index2ptr

Rows = tuple[Tensor, Tensor]


def compress(name: str, pairs: Tensor, size: tuple[int, int]) -> Rows:
    r"""Returns pairs, each once, in CSR format :obj:`(rowptr, col)`.

    Args:
        name (str): The name of the argument.
        pairs (torch.Tensor): The pairs of shape :math:`(2, |\mathcal{E}|)`, in any
            order.
        size (Tuple[int, int]): The number of rows and columns.

    Raises:
        ValueError: If an index is out of range, or they are of another shape.
    """
    pairs = pairs.as_tensor() if isinstance(pairs, EdgeIndex) else pairs
    if pairs.dim() != 2 or pairs.size(0) != 2:
        raise ValueError(
            f"'{name}' needs to be of shape [2, *] (got {list(pairs.size())})"
        )
    outside = (pairs < 0) | (pairs >= pairs.new_tensor(size).view(2, 1))
    if bool(outside.any()):
        raise ValueError(
            f"'{name}' needs to hold pairs of indices below {size} (got "
            f'{pairs[:, outside.any(dim=0)][:, 0].tolist()})'
        )
    row, col = coalesce(pairs)
    return index2ptr(row, size[0]), col


def stack_rows(rows: Sequence[Tensor]) -> Rows:
    r"""Returns column indices that are given row by row in CSR format."""
    count = torch.tensor([row.numel() for row in rows], dtype=torch.long)
    return cumsum(count), torch.cat(list(rows)) if rows else count


def expand(rowptr: Tensor, col: Tensor) -> Tensor:
    r"""Returns the pairs of a matrix in CSR format, sorted by row."""
    row = torch.arange(rowptr.numel() - 1, device=col.device)
    return torch.stack([torch.repeat_interleave(row, rowptr.diff()), col])


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


def check_rows(exclude: Rows, num_rows: int, num_cols: int) -> None:
    r"""Checks that items not to recommend come in CSR format, which native code
    relies on, and not as pairs, say.
    """
    rowptr, col = exclude
    count = rowptr.diff()
    is_csr = rowptr.size() == (num_rows + 1,) and not bool((count < 0).any())
    is_csr = is_csr and (int(rowptr[0]), int(rowptr[-1])) == (0, col.numel())
    if not is_csr or bool(((col < 0) | (col >= num_cols)).any()):
        raise ValueError(
            f"'exclude' needs to be in CSR format (rowptr, col), with {num_rows} rows "
            f'of item indices below {num_cols}'
        )
