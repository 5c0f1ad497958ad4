import torch
import triton
import triton.language as tl
from torch import Tensor

from lgmrec_pyg.ops import CSR


@triton.jit
def _spmm_kernel(
    rowptr,
    col,
    value,
    x,
    out,
    width,
    HAS_VALUE: tl.constexpr,
    BLOCK_E: tl.constexpr,
    BLOCK_F: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    f = tl.program_id(1) * BLOCK_F + tl.arange(0, BLOCK_F)
    start, end = tl.load(rowptr + row), tl.load(rowptr + row + 1)
    acc = tl.zeros([BLOCK_F], dtype=tl.float32)
    for first in range(start, end, BLOCK_E):
        e = first + tl.arange(0, BLOCK_E)
        j = tl.load(col + e, mask=e < end, other=0).to(tl.int64)
        mask = (e < end)[:, None] & (f < width)[None, :]
        tile = tl.load(x + j[:, None] * width + f[None, :], mask=mask, other=0.0)
        tile = tile.to(tl.float32)
        if HAS_VALUE:
            weight = tl.load(value + e, mask=e < end, other=0.0).to(tl.float32)
            tile = tile * weight[:, None]
        acc += tl.sum(tile, axis=0)
    tl.store(out + row * width + f, acc.to(out.dtype.element_ty), mask=f < width)


def triton_spmm(csr: CSR, x: Tensor) -> Tensor:
    r"""A product with a sparse matrix: one program a row and block of columns, which
    gathers tiles of neighbors and accumulates in single precision.

    Args:
        csr (CSR): The sparse matrix of shape :math:`(N, M)`.
        x (torch.Tensor): Features of shape :math:`(M, F)`, contiguous.
    """
    num_rows, width = csr.size[0], x.size(1)
    out = torch.empty(num_rows, width, dtype=x.dtype, device=x.device)
    block_f = min(triton.next_power_of_2(width), 128)
    grid = (num_rows, triton.cdiv(width, block_f))
    _spmm_kernel[grid](
        csr.rowptr,
        csr.col,
        csr.rowptr if csr.value is None else csr.value,
        x,
        out,
        width,
        HAS_VALUE=csr.value is not None,
        BLOCK_E=16,
        BLOCK_F=block_f,
    )
    return out
