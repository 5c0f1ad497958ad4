from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.nn.conv.soft_hypergraph_conv import SoftHypergraphConv
from lgmrec_pyg.nn.fusion import HypergraphEmbedding
from lgmrec_pyg.nn.hyperedge_membership import HyperedgeMembership
from lgmrec_pyg.ops.parallel import all_nodes, own_nodes


class GlobalHypergraph(Module):
    r"""Passes item embeddings through the hyperedges of one modality, the global
    module of the `"LGMRec: Local and Global Graph Learning for Multimodal
    Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \mathbf{G}_i^{(h+1)} = \tilde{\mathbf{H}}_i \left(
        \tilde{\mathbf{H}}_i^{\top} \mathbf{G}_i^{(h)} \right), \qquad
        \mathbf{G}_u^{(h+1)} = \tilde{\mathbf{H}}_u \left(
        \tilde{\mathbf{H}}_i^{\top} \mathbf{G}_i^{(h)} \right)

    Hyperedges sum over all items. Where there is only a sample of these, its sums,
    weighted by the inverse probability of every item to be in it, are unbiased
    estimates. No history is kept: a sample of a batch holds thousands of items, some
    for every hyperedge, which a history, being late by many updates of all weights,
    could make less noisy but not more right; and a run has no state besides its
    weights.

    Args:
        num_layers (int, optional): The number of layers. (default: :obj:`1`)
        temperature (float, optional): The temperature of memberships.
            (default: :obj:`0.2`)
        dropout (float, optional): The dropout of memberships.
            (default: :obj:`0.5`)
        noise (str, optional): The noise of memberships, see
            :class:`~lgmrec_pyg.nn.HyperedgeMembership`.
            (default: :obj:`"gumbel"`)
        noisy_eval (bool, optional): If set to :obj:`True`, memberships stay
            random in evaluation. (default: :obj:`False`)
        normalize (bool, optional): Use means by membership, see
            :class:`~lgmrec_pyg.nn.SoftHypergraphConv`.
            (default: :obj:`False`)

    Shapes:
        - **input:** item embeddings :math:`(|\mathcal{I}|, d)`, membership
          logits of users :math:`(|\mathcal{U}|, K)` and items
          :math:`(|\mathcal{I}|, K)`
        - **output:** :class:`~lgmrec_pyg.nn.HypergraphEmbedding` of users and
          of items

    Raises:
        ValueError: If :obj:`num_layers` is not positive.
    """

    def __init__(
        self,
        num_layers: int = 1,
        temperature: float = 0.2,
        dropout: float = 0.5,
        noise: str | None = 'gumbel',
        noisy_eval: bool = False,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"'num_layers' needs to be positive (got {num_layers})")
        self.num_layers = num_layers
        self.membership = HyperedgeMembership(temperature, dropout, noise, noisy_eval)
        self.conv = SoftHypergraphConv(normalize)

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(
        self,
        x_item: Tensor,
        user_logits: Tensor,
        item_logits: Tensor,
        described: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> tuple[HypergraphEmbedding, HypergraphEmbedding]:
        r"""Runs the forward pass of the module.

        Args:
            x_item (torch.Tensor): The embeddings of items.
            user_logits (torch.Tensor): The membership logits of users.
            item_logits (torch.Tensor): The membership logits of items.
            described (torch.Tensor, optional): Ones for items that have the
                modality and zeros for others, which belong to no hyperedge, of
                shape :math:`(|\mathcal{I}|, 1)`. (default: :obj:`None`)
            weight (torch.Tensor, optional): If items are a sample, the inverse
                probability of each to be in it, of shape :math:`(|\mathcal{I}|)`.
                (default: :obj:`None`)
        """
        # Drawn for all nodes, by every process the same.
        item = own_nodes(self.membership(all_nodes(item_logits)))
        user = own_nodes(self.membership(all_nodes(user_logits)))
        if described is not None:
            item = item * described.to(item.dtype)
        sender = item if weight is None else item * weight.to(item.dtype).view(-1, 1)
        latent = self.conv.pool(x_item, sender)
        for _ in range(self.num_layers - 1):
            latent = self.conv.pool(self.conv.spread(latent, item), sender)
        return (
            HypergraphEmbedding(self.conv.rows(user), latent, masked=True),
            HypergraphEmbedding(self.conv.rows(item), latent, masked=True),
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_layers}, {self.membership}, '
            f'{self.conv})'
        )
