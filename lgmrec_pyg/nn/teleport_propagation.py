from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.dropout import dropout
from lgmrec_pyg.nn.per_graph import PerGraph
from lgmrec_pyg.ops import EdgePattern, spmm


class TeleportPropagation(Module):
    r"""Propagates between users and items with self-loops and a teleport to the
    input, from the `"Modality-Independent Graph Neural Networks with Global
    Transformers for Multimodal Recommendation"
    <https://arxiv.org/abs/2412.13994>`_ paper: the form of
    :class:`torch_geometric.nn.conv.APPNP` for bipartite graphs.

    .. math::
        \mathbf{H}^{(l+1)} = (1 - \alpha) \tilde{\mathbf{A}} \mathbf{H}^{(l)} +
        \alpha \mathbf{H}^{(0)}, \qquad \tilde{\mathbf{A}} = (\mathbf{D} +
        \mathbf{I})^{-1/2} (\mathbf{A} + \mathbf{I}) (\mathbf{D} + \mathbf{I})^{-1/2}

    Dropout acts on the entries of :math:`\tilde{\mathbf{A}}`, by one draw a call.
    Weights of the interactions do not count.

    Args:
        num_layers (int): The number of layers.
        alpha (float, optional): The teleport probability :math:`\alpha`.
            (default: :obj:`0.1`)
        dropout (float, optional): The dropout of edges. (default: :obj:`0.0`)

    Shapes:
        - **input:** user features :math:`(|\mathcal{U}|, F)`, item features
          :math:`(|\mathcal{I}|, F)`, a :class:`~lgmrec_pyg.graph.BipartiteGraph`
        - **output:** the same shapes
    """

    def __init__(
        self, num_layers: int, alpha: float = 0.1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.alpha = alpha
        self.dropout = dropout
        self._matrices = PerGraph(_with_loops)

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(
        self, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        if self.num_layers == 0:
            return x_user, x_item
        user, item = x_user, x_item
        (to_user, to_item), value, loop = self._matrices(graph)
        value_user, value_item = map(self._drop, value)
        loop_user, loop_item = map(self._drop, loop)
        for _ in range(self.num_layers):
            next_user = (
                spmm(to_user, item, value_user) + loop_user.to(user.dtype) * user
            )
            item = spmm(to_item, user, value_item) + loop_item.to(item.dtype) * item
            user = (1 - self.alpha) * next_user + self.alpha * x_user
            item = (1 - self.alpha) * item + self.alpha * x_item
        return user, item

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_layers}, alpha={self.alpha}, '
            f'dropout={self.dropout})'
        )


class _Matrices(NamedTuple):
    edges: list[EdgePattern]  # To users, and to items.
    value: list[Tensor]
    loop: list[Tensor]


def _with_loops(graph: BipartiteGraph) -> _Matrices:
    dtype = torch.get_default_dtype()
    if graph.to_user.csr.value is not None:
        dtype = graph.to_user.csr.value.dtype
    scale = [(x.degree.to(dtype) + 1).rsqrt() for x in (graph.to_user, graph.to_item)]
    out = _Matrices([], [], [x.square().view(-1, 1) for x in scale])
    for adj, row, col in zip(
        (graph.to_user, graph.to_item), scale, scale[::-1], strict=True
    ):
        out.edges.append(EdgePattern.from_csr(adj.csr))
        out.value.append(row[adj.csr.row] * col[adj.csr.col])
    return out
