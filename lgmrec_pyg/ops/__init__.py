from lgmrec_pyg.ops.csr import CSR, to_csr
from lgmrec_pyg.ops.infonce import infonce, unit_rows
from lgmrec_pyg.ops.matmul import matmul
from lgmrec_pyg.ops.norm import drop_weight, has_weight, normalize_adj
from lgmrec_pyg.ops.pairing import is_transpose
from lgmrec_pyg.ops.spmm import choose_kernel, spmm

__all__ = [
    'CSR',
    'choose_kernel',
    'drop_weight',
    'has_weight',
    'infonce',
    'is_transpose',
    'matmul',
    'normalize_adj',
    'spmm',
    'to_csr',
    'unit_rows',
]
