import warnings
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.typing import Adj, OptTensor, SparseTensor
from torch_geometric.utils import index_sort
from torch_geometric.utils.sparse import index2ptr

# Kernels of PyTorch read matrices as its CSR tensors, of which it warns once.
warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta')


class CSR(NamedTuple):
    r"""The rows of a sparse matrix :math:`\mathbf{A}`, compressed.

    The common denominator that every kernel of :func:`~lgmrec_pyg.ops.spmm`
    runs on, whatever adjacency type it came from.

    Args:
        rowptr (torch.Tensor): Row offsets of shape :math:`(N + 1)`.
        col (torch.Tensor): Column indices of shape :math:`(|\mathcal{E}|)`.
        value (torch.Tensor, optional): Entries of shape
            :math:`(|\mathcal{E}|)`; :obj:`None` stands for ones.
        size (Tuple[int, int]): The shape :math:`(N, M)` of the matrix.
    """

    rowptr: Tensor
    col: Tensor
    value: OptTensor
    size: tuple[int, int]

    @property
    def row(self) -> Tensor:
        r"""The row index of every entry."""
        degree = self.rowptr[1:] - self.rowptr[:-1]
        return torch.repeat_interleave(degree, output_size=self.col.numel())

    def t(self) -> 'CSR':
        r"""The transposed matrix; sorts all entries, so keep the result."""
        return from_coo(self.col, self.row, self.value, self.size[::-1])


def from_coo(row: Tensor, col: Tensor, value: OptTensor, size: tuple[int, int]) -> CSR:
    r"""Compresses unsorted coordinates, keeping the order within a row.

    Raises:
        ValueError: If a coordinate lies outside of the matrix.
    """
    if not torch.compiler.is_compiling():  # A compiler knows no values.
        _check_range('row', row, size[0])
        _check_range('column', col, size[1])
    row, perm = index_sort(row, max_value=size[0], stable=True)
    value = None if value is None else value[perm]
    return CSR(index2ptr(row, size[0]), col[perm], value, size)


def to_csr(
    adj: Adj, weight: OptTensor = None, size: tuple[int, int] | None = None
) -> CSR:
    r"""Reads any adjacency of PyG as the rows of its propagation matrix.

    Row :math:`i` of the result holds the in-neighbors of destination node
    :math:`i`, *i.e.* sparse inputs are taken as the transposed adjacency
    ``adj_t`` and edge indices as ``(source, destination)`` pairs, as in
    :meth:`torch_geometric.nn.conv.MessagePassing.propagate`.

    Args:
        adj (SparseTensor or torch.Tensor or EdgeIndex): The adjacency.
        weight (torch.Tensor, optional): One weight an edge, for an edge index;
            sparse matrices carry their own. (default: :obj:`None`)
        size (Tuple[int, int], optional): The number of destination and source
            nodes; needed for a plain edge index. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`weight` comes with a matrix that has its own
            values, or the size of a plain edge index is unknown.
    """
    if isinstance(adj, EdgeIndex):
        if adj.is_sorted:
            return _from_edge_index(adj, weight, size)
        size = tuple(adj.get_sparse_size()[::-1]) if size is None else size
        adj = adj.as_tensor()
    if isinstance(adj, SparseTensor):
        _refuse_weight(weight, 'SparseTensor')
        rowptr, col, value = adj.csr()
        return CSR(rowptr, col, value, (adj.size(0), adj.size(1)))
    if adj.layout == torch.strided:
        if size is None:
            raise ValueError(
                "'size' is required for a plain 'edge_index': pass the number of "
                '(destination, source) nodes'
            )
        return from_coo(adj[1], adj[0], weight, size)
    _refuse_weight(weight, 'sparse tensor')
    csr = adj if adj.layout == torch.sparse_csr else adj.to_sparse_csr()
    shape = (csr.size(0), csr.size(1))
    value = csr.values()
    if not value.requires_grad:
        value = value.detach()  # No view of a layout that compilers do not know.
    return CSR(csr.crow_indices(), csr.col_indices(), value, shape)


def transposed(adj: Adj, csr: CSR, weight: OptTensor = None) -> CSR:
    r"""The transpose of ``csr = to_csr(adj, weight)``, from the caches that
    :obj:`adj` keeps where it has some.
    """
    if isinstance(adj, SparseTensor):
        perm = adj.storage.csr2csc()
        value = None if csr.value is None else csr.value[perm]
        row, size = adj.storage.row()[perm], csr.size[::-1]
        return CSR(adj.storage.colptr(), row, value, size)
    if isinstance(adj, EdgeIndex) and adj.is_sorted:
        (rowptr, col), perm = adj.get_csr()
        if rowptr.numel() != csr.size[1] + 1:  # The cache was filled without a size.
            return csr.t()
        return CSR(rowptr, col, _permute(weight, perm), csr.size[::-1])
    return csr.t()


def _from_edge_index(
    adj: EdgeIndex, weight: OptTensor, size: tuple[int, int] | None
) -> CSR:
    num_src, num_dst = adj.sparse_size()
    if size is not None:
        num_dst, num_src = size
    if num_src is None or num_dst is None:
        num_src, num_dst = adj.get_sparse_size()
    if not torch.compiler.is_compiling():  # What fills the caches trusts them.
        _check_range('row', adj.as_tensor()[1], num_dst)
        _check_range('column', adj.as_tensor()[0], num_src)
    (colptr, row), perm = adj.get_csc()
    if colptr.numel() != num_dst + 1:  # The cache was filled without a size.
        colptr = index2ptr(adj.as_tensor()[1].sort()[0], num_dst)
    value = _permute(weight, perm)
    return CSR(
        colptr.as_subclass(Tensor), row.as_subclass(Tensor), value, (num_dst, num_src)
    )


def _check_range(name: str, index: Tensor, length: int) -> None:
    if index.numel() > 0 and not 0 <= int(index.min()) <= int(index.max()) < length:
        raise ValueError(
            f'A {name} index needs to lie in [0, {length - 1}] (got '
            f'{int(index.min())} to {int(index.max())})'
        )


def _permute(weight: OptTensor, perm: OptTensor) -> OptTensor:
    return weight if weight is None or perm is None else weight[perm]


def _refuse_weight(weight: OptTensor, kind: str) -> None:
    if weight is not None:
        raise ValueError(
            f"'weight' needs to be None for a {kind}, which carries its own values"
        )
