from typing import NamedTuple

from torch import Tensor
from torch.nn import Module
from torch_geometric.typing import Adj, OptTensor

from lgmrec_pyg.nn.conv.bipartite_conv import BipartiteConv
from lgmrec_pyg.nn.local_propagation import BipartiteGraph
from lgmrec_pyg.nn.modality_projection import ModalityProjection
from lgmrec_pyg.ops import drop_weight


class ModalityContent(NamedTuple):
    r"""What one modality says about users and items, before any propagation.

    Args:
        user (torch.Tensor): User features of shape :math:`(|\mathcal{U}|, d)`.
        item (torch.Tensor): Item features of shape :math:`(|\mathcal{I}|, d)`.
        user_logits (torch.Tensor): Membership logits of users, of shape
            :math:`(|\mathcal{U}|, K)`.
        item_logits (torch.Tensor): Membership logits of items, of shape
            :math:`(|\mathcal{I}|, K)`.
        described (torch.Tensor): Ones for items that have the modality and
            zeros for others, of shape :math:`(|\mathcal{I}|, 1)`.
    """

    user: Tensor
    item: Tensor
    user_logits: Tensor
    item_logits: Tensor
    described: Tensor


class ModalityEncoder(Module):
    r"""Lifts the features of one modality to items and on to users, the input
    stage of the `"LGMRec: Local and Global Graph Learning for Multimodal
    Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \mathbf{F}_i &= \mathbf{x}_i \mathbf{W}, \qquad
        \mathbf{H}_i = \mathbf{x}_i \mathbf{V}^{\top}

        \mathbf{F}_u &= \frac{1}{|\mathcal{N}(u)|} \sum_{i \in \mathcal{N}(u)}
        \mathbf{F}_i, \qquad
        \mathbf{H}_u = \sum_{i \in \mathcal{N}(u)} \mathbf{H}_i

    Several nodes of one item are averaged. An item without any contributes to
    neither sum nor mean.

    Args:
        in_channels (int): The width :math:`d_m` of the features.
        out_channels (int): The embedding size :math:`d`.
        num_hyperedges (int): The number :math:`K` of hyperedges.
        user_logits (str, optional): Whether the logits of users are the
            :obj:`"sum"` (above) or the :obj:`"mean"` of those of their items;
            sums drive heavy users into a single hyperedge.
            (default: :obj:`"sum"`)

    Shapes:
        - **input:** features :math:`(N_m, d_m)`, edges from them to items, the
          interactions as a :class:`BipartiteGraph`
        - **output:** a :class:`ModalityContent`

    Raises:
        ValueError: If a width is not positive or :obj:`user_logits` unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_hyperedges: int,
        user_logits: str = 'sum',
    ) -> None:
        super().__init__()
        if user_logits not in ('sum', 'mean'):
            raise ValueError(
                f"'user_logits' needs to be 'sum' or 'mean' (got {user_logits!r})"
            )
        self.projection = ModalityProjection(in_channels, out_channels, num_hyperedges)
        self.mean_conv = BipartiteConv(norm='mean')
        self.sum_conv = BipartiteConv(norm=None)
        self.user_logits = user_logits

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.projection.reset_parameters()

    def forward(
        self,
        x: Tensor,
        describes: Adj,
        graph: BipartiteGraph,
        num_users: int,
        num_items: int,
        weight: OptTensor = None,
        reverse: Adj | None = None,
    ) -> ModalityContent:
        r"""Runs the forward pass of the module.

        Args:
            x (torch.Tensor): The features of the nodes of the modality.
            describes (SparseTensor or torch.Tensor or EdgeIndex): The edges from
                these nodes to items.
            graph (BipartiteGraph): The interactions; weights do not count.
            num_users (int): The number of users.
            num_items (int): The number of items.
            weight (torch.Tensor, optional): Weights of the edges to items.
                (default: :obj:`None`)
            reverse (SparseTensor or torch.Tensor, optional): The edges from
                items back to the nodes. (default: :obj:`None`)
        """
        split = [self.projection.out_channels, self.projection.num_hyperedges]
        item = self.mean_conv(
            self.projection(x), describes, weight, reverse, num_dst=num_items
        )
        ones = item.new_ones(x.size(0), 1)
        described = self.sum_conv(ones, drop_weight(describes), num_dst=num_items) > 0
        described = described.to(item.dtype)

        to_user, to_item = drop_weight(graph.to_user), drop_weight(graph.to_item)
        user = self.sum_conv(item, to_user, reverse=to_item, num_dst=num_users)
        count = self.sum_conv(described, to_user, num_dst=num_users).clamp_(min=1)
        # Splits are concatenated in the backward pass, slices padded and summed up.
        item_content, item_logits = item.split(split, dim=1)
        user_content, user_logits = user.split(split, dim=1)
        if self.user_logits == 'mean':
            user_logits = user_logits / count
        return ModalityContent(
            user_content / count,
            item_content,
            user_logits,
            item_logits,
            described,
        )
