from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module
from torch_geometric.typing import Adj, OptTensor

from lgmrec_pyg.nn.conv.bipartite_conv import BipartiteConv
from lgmrec_pyg.ops import has_weight, normalize_adj


class BipartiteGraph(NamedTuple):
    r"""Both directions of the interactions between users and items.

    Args:
        to_item (SparseTensor or torch.Tensor or EdgeIndex): Edges from users to
            items: ``adj_t`` of shape :math:`(|\mathcal{I}|, |\mathcal{U}|)` or
            ``(user, item)`` indices.
        to_user (SparseTensor or torch.Tensor or EdgeIndex): The same edges from
            items to users.
        to_item_weight (torch.Tensor, optional): Edge weights for edge indices.
        to_user_weight (torch.Tensor, optional): Edge weights for edge indices.
    """

    to_item: Adj
    to_user: Adj
    to_item_weight: OptTensor = None
    to_user_weight: OptTensor = None

    def normalized(
        self, num_users: int, num_items: int, dtype: torch.dtype | None = None
    ) -> 'BipartiteGraph':
        r"""Symmetric normalization of a graph that carries no weights.

        Raises:
            ValueError: If only one of the two directions carries weights.
        """
        weighted = has_weight(self.to_item, self.to_item_weight)
        if weighted != has_weight(self.to_user, self.to_user_weight):
            raise ValueError(
                'Both directions of the graph need to carry weights, or none '
                f'(got weights only from {"users" if weighted else "items"})'
            )
        if weighted:
            return self
        to_item, to_item_weight = normalize_adj(
            self.to_item, None, 'sym', (num_items, num_users), dtype
        )
        to_user, to_user_weight = normalize_adj(
            self.to_user, None, 'sym', (num_users, num_items), dtype
        )
        return BipartiteGraph(to_item, to_user, to_item_weight, to_user_weight)


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
          :math:`(|\mathcal{I}|, F)`, a :class:`BipartiteGraph`
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
        graph = graph.normalized(x_user.size(0), x_item.size(0), x_user.dtype)
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
        to_item, to_user, to_item_weight, to_user_weight = graph
        out_user = self.conv((x_item, x_user), to_user, to_user_weight, to_item)
        out_item = self.conv((x_user, x_item), to_item, to_item_weight, to_user)
        return out_user, out_item

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_layers}, readout={self.readout!r})'
