import torch
from torch import Tensor

import lgmrec_pyg.ops._operators  # noqa: F401
from lgmrec_pyg.ops._extension import has_extension
from lgmrec_pyg.ops.csr import CSR


def can_run(x: Tensor) -> bool:
    r"""Whether :func:`cpp_spmm` takes these features."""
    fits = x.is_cpu and x.dtype in (torch.float32, torch.float64)
    return fits and has_extension()


def cpp_spmm(csr: CSR, x: Tensor) -> Tensor:
    r"""The product in C++ behind :func:`~lgmrec_pyg.ops.spmm` on CPU."""
    return torch.ops.lgmrec_pyg.csr_matmul(csr.rowptr, csr.col, csr.value, x)
