from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.typing import Adj, OptTensor

from lgmrec_pyg.ops.csr import CSR, to_csr, transposed
from lgmrec_pyg.ops.norm import normalize_adj


class Adjacency(NamedTuple):
    r"""A sparse propagation matrix and its transpose, which the gradient of a
    product needs: built once, multiplied in every step.

    Args:
        csr (CSR): The matrix: in row :math:`i`, the in-neighbors of destination
            :math:`i`.
        csr_t (CSR): The transposed matrix.
    """

    csr: CSR
    csr_t: CSR

    @classmethod
    def from_adj(
        cls,
        adj: Adj,
        weight: OptTensor = None,
        size: tuple[int, int] | None = None,
        norm: str | None = None,
        dtype: torch.dtype | None = None,
    ) -> 'Adjacency':
        r"""Compresses any adjacency of PyG. The transpose is read from its caches
        where it keeps some (SparseTensor, EdgeIndex), and sorted out otherwise.

        Args:
            adj (SparseTensor or torch.Tensor or EdgeIndex): The adjacency: a
                sparse matrix ``adj_t``, or ``(source, destination)`` indices.
            weight (torch.Tensor, optional): One weight an edge, for edge indices.
                (default: :obj:`None`)
            size (Tuple[int, int], optional): The number of destination and source
                nodes; needed for a plain edge index. (default: :obj:`None`)
            norm (str, optional): The weights of an adjacency that has none:
                :obj:`"sym"`, :obj:`"mean"`, or ones if :obj:`None`, see
                :func:`~lgmrec_pyg.ops.degree_weight`. (default: :obj:`None`)
            dtype (torch.dtype, optional): The type of computed weights.
                (default: :obj:`None`)
        """
        adj, weight = normalize_adj(adj, weight, norm, size, dtype)
        csr = to_csr(adj, weight, size)
        return cls(csr, transposed(adj, csr, weight))

    @property
    def size(self) -> tuple[int, int]:
        r"""The number of destination and source nodes."""
        return self.csr.size

    @property
    def degree(self) -> Tensor:
        r"""The number of in-neighbors of every destination node."""
        return self.csr.rowptr.diff()

    def t(self) -> 'Adjacency':
        r"""The opposite direction, with the same weights."""
        return Adjacency(self.csr_t, self.csr)

    def unweighted(self) -> 'Adjacency':
        r"""The same edges, with weights of one."""
        return Adjacency(self.csr._replace(value=None), self.csr_t._replace(value=None))
