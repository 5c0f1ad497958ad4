import torch
from torch import Tensor

from lgmrec_pyg.ops.csr import CSR
from lgmrec_pyg.ops.extension import extension, has_extension

TYPES = (torch.float32, torch.float64)
GOOD, BAD_OFFSETS = -1, -2  # Anything else is an entry that is out of range.


def can_run(x: Tensor) -> bool:
    r"""Whether :func:`cpp_spmm` takes these features."""
    return x.is_cpu and x.dtype in TYPES and has_extension()


def cpp_spmm(csr: CSR, x: Tensor) -> Tensor:
    r"""The product in C++ behind :func:`~lgmrec_pyg.ops.spmm` on CPU: every row of
    the result is summed up in registers, in vectors as wide as :obj:`x` allows.

    Args:
        csr (CSR): The matrix of shape :math:`(N, M)`.
        x (torch.Tensor): Features of shape :math:`(M, F)`, in single or double
            precision.

    Raises:
        IndexError: If the matrix holds a column that :obj:`x` has no row for.
        ValueError: If :obj:`x` is of another type or on another device, or if the
            row offsets of the matrix do not ascend from 0 to its number of entries.
    """
    if not x.is_cpu or x.dtype not in TYPES:
        raise ValueError(
            f"kernel 'cpp' needs float32 or float64 on CPU (got {x.dtype} on "
            f"'{x.device}')"
        )
    rowptr, col = csr.rowptr.contiguous(), csr.col.contiguous()
    value = None if csr.value is None else csr.value.contiguous()
    out = x.new_empty(csr.size[0], x.size(1))
    state = extension().spmm(
        rowptr.data_ptr(),
        col.data_ptr(),
        None if value is None else value.data_ptr(),
        x.contiguous().data_ptr(),
        csr.size[0],
        x.size(0),
        col.numel(),
        x.size(1),
        col.dtype == torch.int32,
        x.dtype == torch.float64,
        torch.get_num_threads(),
        out.data_ptr(),
    )
    if state == BAD_OFFSETS:
        raise ValueError(
            f'Row offsets need to ascend from 0 to {col.numel()}, the number of entries'
        )
    if state != GOOD:
        raise IndexError(
            f'A column index needs to lie in [0, {x.size(0) - 1}] (got '
            f'{int(col[state])})'
        )
    return out
