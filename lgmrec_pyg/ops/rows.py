import torch
import torch.nn.functional as F
from torch import Tensor

from lgmrec_pyg.ops.parallel import active, sum_columns


def unit_rows(x: Tensor) -> Tensor:
    r"""Rows scaled to unit length; zero rows stay zero."""
    if x.dtype == torch.float16:  # The norm of a row of modest numbers overflows.
        return unit_rows(x.float()).half()
    eps = smallest_norm(x.dtype)
    if active('columns') is None:
        return F.normalize(x, eps=eps)
    square = sum_columns(x.square().sum(dim=1, keepdim=True))
    return x / square.clamp_min(eps**2).sqrt()


def smallest_norm(dtype: torch.dtype) -> float:
    r"""The norm under which a row counts as zero."""
    return max(1e-12, torch.finfo(dtype).tiny)
