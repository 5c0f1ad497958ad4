import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.typing import Adj, OptTensor, SparseTensor
from torch_geometric.utils import scatter

NORMS = ('sym', 'mean', None)


def normalize_adj(
    adj: Adj,
    weight: OptTensor = None,
    norm: str | None = 'sym',
    size: tuple[int, int] | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Adj, OptTensor]:
    r"""Gives an adjacency without weights the weights of a normalized sum, see
    :func:`degree_weight`.

    An adjacency that carries weights is returned as it is; the values of a
    :class:`torch.Tensor` in a sparse layout always count as weights.

    Args:
        adj (SparseTensor or torch.Tensor or EdgeIndex): The adjacency.
        weight (torch.Tensor, optional): Edge weights. (default: :obj:`None`)
        norm (str, optional): :obj:`"sym"`, :obj:`"mean"` or :obj:`None`, which
            changes nothing. (default: :obj:`"sym"`)
        size (Tuple[int, int], optional): The number of destination and source
            nodes; needed for a plain edge index. (default: :obj:`None`)
        dtype (torch.dtype, optional): The type of computed weights.
            (default: :obj:`None`)

    Returns:
        The adjacency and its edge weights (:obj:`None` where the adjacency
        holds them itself).
    """
    if norm is None or has_weight(adj, weight):
        return adj, weight
    if isinstance(adj, SparseTensor):
        row, col, _ = adj.coo()
        value = degree_weight(col, row, (adj.size(1), adj.size(0)), norm, dtype)
        return adj.set_value(value, layout='coo'), None
    index: Tensor = adj
    if isinstance(adj, EdgeIndex):
        size = tuple(adj.get_sparse_size()[::-1]) if size is None else size
        index = adj.as_tensor()
    if size is None:
        raise ValueError(
            "'size' is required for a plain 'edge_index': pass the number of "
            '(destination, source) nodes'
        )
    return adj, degree_weight(index[0], index[1], size[::-1], norm, dtype)


def degree_weight(
    src: Tensor,
    dst: Tensor,
    size: tuple[int, int],
    norm: str = 'sym',
    dtype: torch.dtype | None = None,
    value: OptTensor = None,
) -> Tensor:
    r"""The weight of every edge in a normalized sum over in-neighbors,

    .. math::
        w_{ji} = \frac{c_{ji}}{\sqrt{\deg(j) \deg(i)}} \quad (\texttt{sym})
        \qquad\qquad w_{ji} = \frac{c_{ji}}{\deg(i)} \quad (\texttt{mean})

    with the degrees of source :math:`j` and destination :math:`i` in a bipartite
    graph, which are the sums of the values :math:`c_{ji}` of their edges. Isolated
    nodes have no edges, and so no weights.

    Args:
        src (torch.Tensor): The source of every edge, of shape
            :math:`(|\mathcal{E}|)`.
        dst (torch.Tensor): The destination of every edge, of the same shape.
        size (Tuple[int, int]): The number of source and destination nodes.
        norm (str, optional): :obj:`"sym"` or :obj:`"mean"`.
            (default: :obj:`"sym"`)
        dtype (torch.dtype, optional): The type of the weights; the default type
            if :obj:`None`. (default: :obj:`None`)
        value (torch.Tensor, optional): The value :math:`c_{ji}` of every edge; one
            if :obj:`None`. (default: :obj:`None`)
    """
    dtype = torch.get_default_dtype() if dtype is None else dtype
    value = torch.ones_like(dst) if value is None else value
    value, src, dst = value.double(), src.long(), dst.long()
    product = scatter(value, dst, dim_size=size[1])[dst]
    if norm == 'sym':
        product = (product * scatter(value, src, dim_size=size[0])[src]).sqrt()
    return (value / product).to(dtype)


def has_weight(adj: Adj, weight: OptTensor = None) -> bool:
    r"""Whether an adjacency comes with edge weights."""
    if isinstance(adj, SparseTensor):
        return adj.has_value()
    return weight is not None or adj.layout != torch.strided
