import torch
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.conv.bipartite_conv import BipartiteConv


class LocalPropagation(Module):
    r"""Stacked light graph convolution between users and items, the local module
    of the `"LGMRec: Local and Global Graph Learning for Multimodal
    Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \mathbf{E}^{(l+1)} = \hat{\mathbf{A}} \mathbf{E}^{(l)}, \qquad
        \mathbf{E} = \frac{1}{L + 1} \sum_{l=0}^{L} \mathbf{E}^{(l)} \quad
        (\texttt{mean}) \quad \textrm{or} \quad \mathbf{E} = \mathbf{E}^{(L)}
        \quad (\texttt{last})

    with the symmetrically normalized adjacency
    :math:`\hat{\mathbf{A}} = \mathbf{D}^{-1/2} \mathbf{A} \mathbf{D}^{-1/2}` of
    the bipartite graph, without self-loops. The paper reads collaborative
    embeddings from the mean over layers and modality embeddings from the last.

    Args:
        num_layers (int): The number :math:`L` of layers.
        readout (str, optional): :obj:`"mean"` or :obj:`"last"`.
            (default: :obj:`"mean"`)

    Shapes:
        - **input:** user features :math:`(|\mathcal{U}|, F)`, item features
          :math:`(|\mathcal{I}|, F)`, a :class:`~lgmrec_pyg.graph.BipartiteGraph`
        - **output:** the same shapes

    Raises:
        ValueError: If :obj:`num_layers` is negative or :obj:`readout` unknown.
    """

    def __init__(self, num_layers: int, readout: str = 'mean') -> None:
        super().__init__()
        if num_layers < 0:
            raise ValueError(f"'num_layers' needs to be at least 0 (got {num_layers})")
        if readout not in ('mean', 'last'):
            raise ValueError(
                f"'readout' needs to be 'mean' or 'last' (got {readout!r})"
            )
        self.num_layers = num_layers
        self.readout = readout
        self.conv = BipartiteConv(norm='sym')

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""
        self.conv.reset_parameters()

    def forward(
        self, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        user, item = x_user, x_item
        for _ in range(self.num_layers):
            x_user, x_item = self.step(x_user, x_item, graph)
            if self.readout == 'mean':
                user, item = user + x_user, item + x_item
        if self.readout == 'last':
            return x_user, x_item
        return user / (self.num_layers + 1), item / (self.num_layers + 1)

    def step(
        self, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        r"""One layer, in both directions."""
        return self.conv(x_item, graph.to_user), self.conv(x_user, graph.to_item)

    def isolated(self, x: Tensor) -> Tensor:
        r"""What nodes without edges end in."""
        if self.readout == 'last' and self.num_layers > 0:
            return torch.zeros_like(x)
        return x / (self.num_layers + 1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_layers}, readout={self.readout!r})'
