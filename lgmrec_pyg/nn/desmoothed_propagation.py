from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.local_propagation import LocalPropagation

EPS = 1e-12  # For graphs without interactions.


class DesmoothedPropagation(LocalPropagation):
    r"""Light graph convolution that moves away from over-smoothing after every
    layer, the global part of the `"DGR: A General Graph Desmoothing Framework for
    Recommendation via Global and Local Perspectives"
    <https://arxiv.org/abs/2403.04287>`_ paper.

    .. math::
        \mathbf{E}^{(l)} = (1 + \alpha_l) \mathbf{E}^{\prime} - \alpha_l \,
        \kappa \, \mathbf{p} \mathbf{p}^{\top} \mathbf{E}^{\prime}, \qquad
        \mathbf{E}^{\prime} = \hat{\mathbf{A}} \mathbf{E}^{(l-1)}, \qquad
        \mathbf{p} = \sqrt{\mathbf{d}}

    With :math:`\kappa = 1 / \Vert \mathbf{p} \Vert^2 = 1 / (2 |\mathcal{E}|)`, the term
    is the projection on the limit that all embeddings of a connected graph approach.
    Degrees :math:`\mathbf{d}` are sums of the confidence of interactions, if they have
    one.

    Args:
        alphas (Sequence[float]): The strengths :math:`\alpha_l`, one a layer.
        readout (str, optional): :obj:`"mean"` or :obj:`"last"`.
            (default: :obj:`"mean"`)
        released (bool, optional): If set to :obj:`True`, halves :math:`\kappa`, as
            the public code does. (default: :obj:`False`)

    Shapes:
        - **input:** user features :math:`(|\mathcal{U}|, F)`, item features
          :math:`(|\mathcal{I}|, F)`, a :class:`~lgmrec_pyg.graph.BipartiteGraph`
        - **output:** the same shapes
    """

    def __init__(
        self, alphas: Sequence[float], readout: str = 'mean', released: bool = False
    ) -> None:
        super().__init__(len(alphas), readout)
        self.alphas = tuple(alphas)
        self.released = released

    def forward(
        self, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        degrees = _degrees(graph)
        p_user, p_item = (d.to(x_user.dtype).sqrt().view(-1, 1) for d in degrees)
        total = degrees[0].sum().to(torch.promote_types(x_user.dtype, torch.float))
        kappa = 1 / ((4 if self.released else 2) * total.clamp(min=EPS))
        user, item = x_user, x_item
        for alpha in self.alphas:
            x_user, x_item = self.step(x_user, x_item, graph)
            limit = kappa * (p_user.t() @ x_user + p_item.t() @ x_item)
            x_user = x_user + alpha * (x_user - p_user * limit)
            x_item = x_item + alpha * (x_item - p_item * limit)
            if self.readout == 'mean':
                user, item = user + x_user, item + x_item
        if self.readout == 'last':
            return x_user, x_item
        return user / (self.num_layers + 1), item / (self.num_layers + 1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.alphas}, readout={self.readout!r})'


def _degrees(graph: BipartiteGraph) -> tuple[Tensor, Tensor]:
    if graph.confidence is None:
        return graph.to_user.degree, graph.to_item.degree
    user, item, size = graph.to_user.csr.row, graph.to_user.csr.col, graph.to_user.size
    return (
        scatter(graph.confidence, user, dim_size=size[0], reduce='sum'),
        scatter(graph.confidence, item, dim_size=size[1], reduce='sum'),
    )
