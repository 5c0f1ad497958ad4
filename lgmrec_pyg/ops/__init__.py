r"""Sparse products, contrasts and memberships as operators of PyTorch."""

import lgmrec_pyg.ops._operators  # noqa: F401
from lgmrec_pyg.ops._extension import has_extension
from lgmrec_pyg.ops._infonce import infonce
from lgmrec_pyg.ops._matmul import matmul
from lgmrec_pyg.ops._sddmm import sddmm
from lgmrec_pyg.ops._spmm import choose_kernel, spmm
from lgmrec_pyg.ops.adjacency import Adjacency
from lgmrec_pyg.ops.csr import CSR, to_csr
from lgmrec_pyg.ops.edge_pattern import EdgePattern
from lgmrec_pyg.ops.norm import degree_weight, has_weight, normalize_adj
from lgmrec_pyg.ops.rows import unit_rows

__all__ = [
    'CSR',
    'Adjacency',
    'EdgePattern',
    'choose_kernel',
    'degree_weight',
    'has_extension',
    'has_weight',
    'infonce',
    'matmul',
    'normalize_adj',
    'sddmm',
    'spmm',
    'to_csr',
    'unit_rows',
]
