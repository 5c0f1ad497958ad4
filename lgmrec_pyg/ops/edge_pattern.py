from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.typing import OptTensor

from lgmrec_pyg.ops.csr import CSR


class EdgePattern(NamedTuple):
    r"""The edges of a sparse matrix and of its transpose, without values: for entries
    that a layer computes anew in every step, such as attention. Built once, like an
    :class:`~lgmrec_pyg.ops.Adjacency`.

    Args:
        rowptr (torch.Tensor): Row offsets of shape :math:`(N + 1)`.
        col (torch.Tensor): Column indices of shape :math:`(|\mathcal{E}|)`.
        perm (torch.Tensor): Where in the transpose the entries are.
        rowptr_t (torch.Tensor): The row offsets of the transpose, :math:`(M + 1)`.
        col_t (torch.Tensor): The column indices of the transpose.
        perm_t (torch.Tensor): Where the entries of the transpose are here.
    """

    rowptr: Tensor
    col: Tensor
    perm: Tensor
    rowptr_t: Tensor
    col_t: Tensor
    perm_t: Tensor

    @classmethod
    def from_csr(cls, csr: CSR) -> 'EdgePattern':
        r"""The pattern of a matrix; sorts all edges, so keep the result."""
        position = torch.arange(csr.col.numel(), device=csr.col.device)
        rowptr, col, perm, _ = csr._replace(value=position).t()
        assert perm is not None
        back = torch.empty_like(perm).scatter_(0, perm, position)
        return cls(csr.rowptr, csr.col, back, rowptr, col, perm)

    @property
    def size(self) -> tuple[int, int]:
        r"""The number of destination and source nodes."""
        return self.rowptr.size(0) - 1, self.rowptr_t.size(0) - 1

    def csr(self, value: OptTensor = None) -> CSR:
        r"""The matrix with one value an edge, in the order of :obj:`col`, or ones.

        Raises:
            ValueError: If there are more or fewer values than edges.
        """
        if value is not None and value.size() != self.col.size():
            raise ValueError(
                f'{self.col.numel()} edges need one weight each (got a tensor of shape '
                f'{tuple(value.size())})'
            )
        return CSR(self.rowptr, self.col, value, self.size)

    def t(self) -> 'EdgePattern':
        r"""The opposite direction. An entry here is at :obj:`perm_t` there."""
        return EdgePattern(*self[3:], *self[:3])
