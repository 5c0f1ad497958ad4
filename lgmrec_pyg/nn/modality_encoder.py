from typing import NamedTuple

from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.graph import BipartiteGraph, ModalityGraph
from lgmrec_pyg.nn.conv.bipartite_conv import BipartiteConv
from lgmrec_pyg.nn.modality_projection import ModalityProjection


class ModalityContent(NamedTuple):
    r"""What one modality says about users and items, before any propagation.

    Args:
        user (torch.Tensor): User features of shape :math:`(|\mathcal{U}|, d)`.
        item (torch.Tensor): Item features of shape :math:`(|\mathcal{I}|, d)`.
        user_logits (torch.Tensor): Membership logits of users, of shape
            :math:`(|\mathcal{U}|, K)`.
        item_logits (torch.Tensor): Membership logits of items, of shape
            :math:`(|\mathcal{I}|, K)`.
    """

    user: Tensor
    item: Tensor
    user_logits: Tensor
    item_logits: Tensor


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
        - **input:** features :math:`(N_m, d_m)`, a
          :class:`~lgmrec_pyg.graph.ModalityGraph`, a
          :class:`~lgmrec_pyg.graph.BipartiteGraph`
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
        self.conv = BipartiteConv(norm=None)
        self.user_logits = user_logits

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.projection.reset_parameters()

    def forward(
        self,
        x: Tensor,
        modality: ModalityGraph,
        interactions: BipartiteGraph,
        lift: bool = True,
    ) -> ModalityContent:
        r"""Runs the forward pass of the module.

        Args:
            x (torch.Tensor): The features of the nodes of the modality.
            modality (ModalityGraph): Which of them describe which items.
            interactions (BipartiteGraph): The interactions; weights do not count.
            lift (bool, optional): If set to :obj:`False`, will return nothing for
                users. (default: :obj:`True`)
        """
        split = [self.projection.out_channels, self.projection.num_hyperedges]
        item = self.conv(self.projection(x), modality.to_item)
        if not lift:
            item_content, item_logits = item.split(split, dim=1)
            nobody = item_content[:0], item_logits[:0]
            return ModalityContent(nobody[0], item_content, nobody[1], item_logits)
        user = self.conv(item, interactions.to_user.unweighted())
        if interactions.user_scale is not None:  # Of what was drawn, to all.
            user = user * interactions.user_scale.to(user.dtype)
        # Splits are concatenated in the backward pass, slices padded and summed up.
        item_content, item_logits = item.split(split, dim=1)
        user_content, user_logits = user.split(split, dim=1)
        degree = modality.user_degree.to(user.dtype)
        if self.user_logits == 'mean':
            user_logits = user_logits / degree
        user_content = user_content / degree
        return ModalityContent(user_content, item_content, user_logits, item_logits)
