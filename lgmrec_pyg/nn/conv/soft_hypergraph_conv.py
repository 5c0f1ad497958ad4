from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.nn.conv import MessagePassing
from torch_geometric.utils import scatter

from lgmrec_pyg.ops._matmul import matmul
from lgmrec_pyg.ops.parallel import sum_nodes
from lgmrec_pyg.ops.rows import smallest_norm


class SparseMembership(NamedTuple):
    r"""The memberships of nodes in hyperedges as a weighted incidence list.

    Args:
        hyperedge_index (torch.Tensor): ``(node, hyperedge)`` indices of shape
            :math:`(2, |\mathcal{P}|)`, the convention of
            :class:`torch_geometric.nn.conv.HypergraphConv`.
        weight (torch.Tensor): The membership of each pair, of shape
            :math:`(|\mathcal{P}|)`.
        size (Tuple[int, int]): The number of nodes and of hyperedges.
    """

    hyperedge_index: Tensor
    weight: Tensor
    size: tuple[int, int]

    @classmethod
    def from_dense(cls, membership: Tensor, k: int | None = None) -> 'SparseMembership':
        r"""Keeps the :obj:`k` largest memberships of every node, or all that
        are not zero if :obj:`k` is :obj:`None`.
        """
        if k is None:
            node, hyperedge = membership.nonzero(as_tuple=True)
        else:
            hyperedge = membership.topk(k, dim=1).indices.view(-1)
            node = torch.arange(membership.size(0), device=membership.device)
            node = node.repeat_interleave(k)
        return cls(
            torch.stack([node, hyperedge]),
            membership[node, hyperedge],
            (membership.size(0), membership.size(1)),
        )


class SoftHypergraphConv(MessagePassing):
    r"""The hypergraph convolution over soft memberships from the `"LGMRec:
    Local and Global Graph Learning for Multimodal Recommendation"
    <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \mathbf{X}^{\prime} = \mathbf{H}_t \left( \mathbf{H}^{\top} \mathbf{X}
        \right)

    Nodes send their features to the hyperedges they belong to, and read them
    back by their own memberships :math:`\mathbf{H}_t = \mathbf{H}`, or by those
    of other nodes, as users read from the hyperedges of items.

    Memberships come dense, the fast way for few hyperedges, or as a
    :class:`SparseMembership`, the way for many hyperedges of which a node
    belongs to a few. Both give equal results.

    Args:
        normalize (bool, optional): If set to :obj:`True`, takes means by
            membership instead of sums,
            :math:`\mathbf{D}_t^{-1} \mathbf{H}_t \mathbf{B}^{-1}
            \mathbf{H}^{\top} \mathbf{X}` with the degrees :math:`\mathbf{D}_t`
            of the reading nodes and :math:`\mathbf{B}` of the hyperedges.
            (default: :obj:`False`)
        **kwargs (optional): Additional arguments of
            :class:`torch_geometric.nn.conv.MessagePassing`.

    Shapes:
        - **input:**
          node features :math:`(N, F)`,
          memberships :math:`(N, K)`,
          memberships of the reading nodes :math:`(N_t, K)` *(optional)*
        - **output:** node features :math:`(N_t, F)`
    """

    def __init__(self, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(aggr='add', **kwargs)
        self.normalize = normalize

    def forward(
        self,
        x: Tensor,
        membership: Tensor | SparseMembership,
        target: Tensor | SparseMembership | None = None,
    ) -> Tensor:
        r"""Runs the forward pass of the module.

        Args:
            x (torch.Tensor): The features of the nodes.
            membership (torch.Tensor or SparseMembership): The memberships
                :math:`\mathbf{H}` of the nodes.
            target (torch.Tensor or SparseMembership, optional): The memberships
                :math:`\mathbf{H}_t` of the nodes to return features for; those
                of the input nodes if :obj:`None`. (default: :obj:`None`)
        """
        latent = self.pool(x, membership)
        return self.spread(latent, membership if target is None else target)

    def pool(self, x: Tensor, membership: Tensor | SparseMembership) -> Tensor:
        r"""The features :math:`\mathbf{H}^{\top} \mathbf{X}` of the hyperedges,
        of shape :math:`(K, F)`.
        """
        if isinstance(membership, Tensor):
            out = matmul(membership.t(), x)
        else:
            index, weight, size = membership
            # propagate_type: (x: OptPairTensor, weight: Tensor)
            out = self.propagate(index, x=(x, None), weight=weight, size=size)
        return self._mean(sum_nodes(out), membership, dim=1)

    def spread(self, latent: Tensor, membership: Tensor | SparseMembership) -> Tensor:
        r"""The features :math:`\mathbf{H}_t \mathbf{L}` that nodes read from
        hyperedges with features :math:`\mathbf{L}`.
        """
        if isinstance(membership, Tensor):
            out = matmul(membership, latent)
        else:
            index, weight, size = membership
            # propagate_type: (x: OptPairTensor, weight: Tensor)
            out = self.propagate(
                index.flip([0]), x=(latent, None), weight=weight, size=size[::-1]
            )
        return self._mean(out, membership, dim=0)

    def rows(self, membership: Tensor) -> Tensor:
        r"""The matrix that :meth:`spread` multiplies with: dense memberships,
        with rows that sum to one if the module normalizes.
        """
        if not self.normalize:
            return membership
        return _divide(membership, membership.sum(dim=1))

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        return weight.view(-1, 1) * x_j

    def _mean(
        self, out: Tensor, membership: Tensor | SparseMembership, dim: int
    ) -> Tensor:
        if not self.normalize:
            return out
        if isinstance(membership, Tensor):
            degree = membership.sum(1 - dim)
        else:
            index, weight, size = membership
            degree = scatter(weight, index[dim], dim_size=size[dim])
        return _divide(out, sum_nodes(degree) if dim == 1 else degree)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(normalize={self.normalize})'


def _divide(x: Tensor, degree: Tensor) -> Tensor:
    # What is left of a row whose one large membership was dropped may be so small
    # that its reciprocal, and so a gradient, is infinite.
    empty = degree < smallest_norm(degree.dtype)
    return x / degree.masked_fill(empty, 1.0).view(-1, 1)
