from collections.abc import Sequence

from torch import Tensor

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.local_propagation import LocalPropagation


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

    With :math:`\kappa = 1 / (2 |\mathcal{E}|)`, the term is the projection on the
    limit that all embeddings of a connected graph approach.

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
        p_user, p_item = (
            adj.degree.to(x_user.dtype).sqrt().view(-1, 1)
            for adj in (graph.to_user, graph.to_item)
        )
        kappa = 1 / ((4 if self.released else 2) * graph.to_user.csr.col.numel())
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
