import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary
from torch_geometric import EdgeIndex
from torch_geometric.typing import Adj, OptTensor, SparseTensor
from torch_geometric.utils import degree

_BINARY: WeakIdKeyDictionary = WeakIdKeyDictionary()


def normalize_adj(
    adj: Adj,
    weight: OptTensor = None,
    norm: str = 'sym',
    size: tuple[int, int] | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Adj, OptTensor]:
    r"""Gives an adjacency without weights the weights of a normalized sum.

    .. math::
        w_{ji} = \frac{1}{\sqrt{\deg(j) \deg(i)}} \quad (\texttt{sym})
        \qquad\qquad w_{ji} = \frac{1}{\deg(i)} \quad (\texttt{mean})

    with the degrees of source :math:`j` and destination :math:`i` in the
    bipartite graph. An adjacency that carries weights is returned as it is;
    the values of a :class:`torch.Tensor` in a sparse layout always count as
    weights. Run :class:`~lgmrec_pyg.transforms.DegreeNorm` once instead of
    normalizing in every step.

    Args:
        adj (SparseTensor or torch.Tensor or EdgeIndex): The adjacency.
        weight (torch.Tensor, optional): Edge weights. (default: :obj:`None`)
        norm (str, optional): :obj:`"sym"` or :obj:`"mean"`.
            (default: :obj:`"sym"`)
        size (Tuple[int, int], optional): The number of destination and source
            nodes; needed for a plain edge index. (default: :obj:`None`)
        dtype (torch.dtype, optional): The type of computed weights.
            (default: :obj:`None`)

    Returns:
        The adjacency and its edge weights (:obj:`None` where the adjacency
        holds them itself).
    """
    if has_weight(adj, weight):
        return adj, weight
    if isinstance(adj, SparseTensor):
        row, col, _ = adj.coo()
        value = _weights(col, row, (adj.size(0), adj.size(1)), norm, dtype)
        return adj.set_value(value, layout='coo'), None
    if isinstance(adj, EdgeIndex):
        size = tuple(adj.get_sparse_size()[::-1]) if size is None else size
        adj_tensor = adj.as_tensor()
    else:
        adj_tensor = adj
    if size is None:
        raise ValueError(
            "'size' is required for a plain 'edge_index': pass the number of "
            '(destination, source) nodes'
        )
    return adj, _weights(adj_tensor[0], adj_tensor[1], size, norm, dtype)


def has_weight(adj: Adj, weight: OptTensor = None) -> bool:
    r"""Whether an adjacency comes with edge weights."""
    if isinstance(adj, SparseTensor):
        return adj.has_value()
    return weight is not None or adj.layout != torch.strided


def drop_weight(adj: Adj) -> Adj:
    r"""The binary structure of an adjacency."""
    if isinstance(adj, SparseTensor):
        return adj.set_value(None, layout='coo')
    if adj.layout == torch.strided:
        return adj
    if adj not in _BINARY:  # Kept, so that its transpose is recognized in every step.
        csr = adj if adj.layout == torch.sparse_csr else adj.to_sparse_csr()
        _BINARY[adj] = torch.sparse_csr_tensor(
            csr.crow_indices(),
            csr.col_indices(),
            torch.ones_like(csr.values()),
            csr.size(),
            check_invariants=False,
        )
    return _BINARY[adj]


def _weights(
    src: Tensor,
    dst: Tensor,
    size: tuple[int, int],
    norm: str,
    dtype: torch.dtype | None,
) -> Tensor:
    dst_degree = degree(dst, size[0], dtype)
    if norm == 'mean':
        return dst_degree.reciprocal()[dst]
    src_degree = degree(src, size[1], dtype)
    return (src_degree[src] * dst_degree[dst]).rsqrt()
