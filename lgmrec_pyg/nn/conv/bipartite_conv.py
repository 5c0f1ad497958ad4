from typing import Any, Final

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn.conv import MessagePassing
from torch_geometric.typing import Adj, OptPairTensor, OptTensor, SparseTensor

from lgmrec_pyg.ops import Adjacency, normalize_adj, spmm
from lgmrec_pyg.ops.norm import NORMS
from lgmrec_pyg.ops.parallel import all_nodes


class BipartiteConv(MessagePassing):
    r"""One direction of light graph convolution in a bipartite graph, the
    local propagation of the `"LGMRec: Local and Global Graph Learning for
    Multimodal Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{j \in \mathcal{N}(i)} w_{ji} \,
        \mathbf{x}_j, \qquad
        w_{ji} = \frac{1}{\sqrt{\deg(j) \deg(i)}}

    Propagating users to items and items to users separately needs half of the
    index memory of one :math:`(|\mathcal{U}| + |\mathcal{I}|)^2` adjacency, and
    lets the two sides differ in size, width and features.

    Args:
        norm (str, optional): How to weight an adjacency that carries no weights
            of its own: :obj:`"sym"` (above), :obj:`"mean"`
            (:math:`w_{ji} = 1 / \deg(i)`) or :obj:`None`
            (:math:`w_{ji} = 1`). Weights that come with the adjacency are used
            as they are, and a :class:`torch.Tensor` in a sparse layout always
            comes with weights. (default: :obj:`"sym"`)
        **kwargs (optional): Additional arguments of
            :class:`torch_geometric.nn.conv.MessagePassing`.

    Shapes:
        - **input:**
          source features :math:`(|\mathcal{V}_s|, F)`,
          adjacency: an :class:`~lgmrec_pyg.ops.Adjacency` or a sparse matrix
          :math:`(|\mathcal{V}_t|, |\mathcal{V}_s|)`, or edge indices
          :math:`(2, |\mathcal{E}|)`,
          edge weights :math:`(|\mathcal{E}|)` *(optional)*
        - **output:** target features :math:`(|\mathcal{V}_t|, F)`

    Raises:
        ValueError: If :obj:`norm` is unknown, or the number of target nodes
            cannot be read from a plain edge index.
    """

    SUPPORTS_FUSED_EDGE_INDEX: Final[bool] = True

    def __init__(self, norm: str | None = 'sym', **kwargs: Any) -> None:
        if norm not in NORMS:
            raise ValueError(f"'norm' needs to be one of {NORMS} (got {norm!r})")
        super().__init__(aggr='add', **kwargs)
        self.norm = norm

    def forward(
        self,
        x: Tensor | OptPairTensor,
        edge_index: Adjacency | Adj,
        edge_weight: OptTensor = None,
        num_dst: int | None = None,
    ) -> Tensor:
        r"""Runs the forward pass of the module.

        Args:
            x (torch.Tensor or Tuple[torch.Tensor, torch.Tensor]): The features
                of the source nodes, or of source and target nodes (the latter
                only tell how many there are).
            edge_index (Adjacency or SparseTensor or torch.Tensor or EdgeIndex): The
                edges: ``adj_t`` (targets in rows) or ``(source, target)`` indices.
                An :class:`~lgmrec_pyg.ops.Adjacency` is multiplied as it is.
            edge_weight (torch.Tensor, optional): One weight an edge, for edge
                indices. (default: :obj:`None`)
            num_dst (int, optional): The number of target nodes; needed for a
                plain edge index. (default: :obj:`None`)
        """
        x = (x, None) if isinstance(x, Tensor) else x
        if isinstance(edge_index, Adjacency):
            return spmm(edge_index, all_nodes(x[0], edge_index.size[1]))
        if isinstance(edge_index, EdgeIndex) and None in edge_index.sparse_size():
            edge_index = edge_index.as_tensor()  # PyG would guess its size.
        num_dst = _num_dst(x[1], edge_index, num_dst)
        size = (x[0].size(0), num_dst)
        edge_index, edge_weight = normalize_adj(
            edge_index, edge_weight, self.norm, size[::-1], x[0].dtype
        )
        # propagate_type: (x: OptPairTensor, edge_weight: OptTensor)
        return self.propagate(edge_index, x=x, edge_weight=edge_weight, size=size)

    def message(self, x_j: Tensor, edge_weight: OptTensor) -> Tensor:
        if edge_weight is None:
            return x_j
        return edge_weight.view(-1, 1).to(x_j.dtype) * x_j

    def message_and_aggregate(
        self, edge_index: Adj, x: OptPairTensor, edge_weight: OptTensor
    ) -> Tensor:
        return spmm(edge_index, x[0], edge_weight)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(norm={self.norm!r})'


def _num_dst(x_dst: OptTensor, edge_index: Adj, num_dst: int | None) -> int:
    if isinstance(edge_index, SparseTensor) or edge_index.layout != torch.strided:
        return edge_index.size(0)
    if isinstance(edge_index, EdgeIndex) and edge_index.num_cols is not None:
        return edge_index.num_cols
    if num_dst is None and x_dst is None:
        raise ValueError(
            "'num_dst' is required for an 'edge_index' that does not know its size"
        )
    return x_dst.size(0) if num_dst is None else num_dst
