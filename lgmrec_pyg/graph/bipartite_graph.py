from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.typing import Adj, OptTensor

from lgmrec_pyg.ops.adjacency import Adjacency
from lgmrec_pyg.ops.csr import CSR
from lgmrec_pyg.ops.norm import degree_weight, has_weight


class BipartiteGraph(NamedTuple):
    r"""The interactions between users and items in both directions, with the
    weights of propagation.

    Args:
        to_item (Adjacency): From users to items, of shape
            :math:`(|\mathcal{I}|, |\mathcal{U}|)`.
        to_user (Adjacency): From items to users, of shape
            :math:`(|\mathcal{U}|, |\mathcal{I}|)`.
        confidence (torch.Tensor, optional): How much every interaction counts, in
            the order of users and then items. (default: :obj:`None`)
        user_scale (torch.Tensor, optional): In a part of a graph, how many items a
            user has for every one that was drawn, of shape
            :math:`(|\mathcal{U}|, 1)`. (default: :obj:`None`)
    """

    to_item: Adjacency
    to_user: Adjacency
    confidence: OptTensor = None
    user_scale: OptTensor = None

    @classmethod
    def from_adj(
        cls,
        to_item: Adj,
        to_user: Adj | None = None,
        to_item_weight: OptTensor = None,
        to_user_weight: OptTensor = None,
        num_users: int | None = None,
        num_items: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> 'BipartiteGraph':
        r"""Compresses any adjacency of PyG, and normalizes it symmetrically if it
        comes without weights, :math:`w_{ui} = 1 / \sqrt{d_u d_i}`.

        Args:
            to_item (SparseTensor or torch.Tensor or EdgeIndex): Edges from users
                to items: ``adj_t``, or ``(user, item)`` indices.
            to_user (SparseTensor or torch.Tensor or EdgeIndex, optional): Edges
                from items to users; those of :obj:`to_item` reversed if
                :obj:`None`. (default: :obj:`None`)
            to_item_weight (torch.Tensor, optional): Weights of edge indices.
                (default: :obj:`None`)
            to_user_weight (torch.Tensor, optional): Weights of edge indices.
                (default: :obj:`None`)
            num_users (int, optional): The number of users; needed for plain edge
                indices. (default: :obj:`None`)
            num_items (int, optional): The number of items, likewise.
                (default: :obj:`None`)
            dtype (torch.dtype, optional): The type of computed weights.
                (default: :obj:`None`)

        Raises:
            ValueError: If only one of two directions carries weights.
        """
        size = None
        if num_users is not None and num_items is not None:
            size = (num_items, num_users)
        there = Adjacency.from_adj(to_item, to_item_weight, size, 'sym', dtype)
        if to_user is None:
            return cls(there, there.t())
        weighted = has_weight(to_item, to_item_weight)
        if weighted != has_weight(to_user, to_user_weight):
            raise ValueError(
                'Both directions of the graph need to carry weights, or none '
                f'(got weights only from {"users" if weighted else "items"})'
            )
        size = size and size[::-1]
        back = Adjacency.from_adj(to_user, to_user_weight, size, 'sym', dtype)
        return cls(there, there.t() if _equal(there.csr_t, back.csr) else back)

    @classmethod
    def from_confidence(
        cls,
        edge_index: Tensor,
        confidence: Tensor,
        num_users: int,
        num_items: int,
        dtype: torch.dtype | None = None,
    ) -> 'BipartiteGraph':
        r"""Compresses interactions that count by a confidence :math:`c_{ui}`, such
        as the number of purchases, with the weights
        :math:`w_{ui} = c_{ui} / \sqrt{d_u d_i}`, where degrees are sums of it.

        Args:
            edge_index (torch.Tensor): The pairs :obj:`(user, item)`.
            confidence (torch.Tensor): The confidence of every pair.
            num_users (int): The number of users.
            num_items (int): The number of items.
            dtype (torch.dtype, optional): The type of the weights.
                (default: :obj:`None`)
        """
        user, item = edge_index.long()
        order = (user * num_items + item).argsort()
        confidence, user, item = confidence[order], user[order], item[order]
        size = num_users, num_items
        weight = degree_weight(user, item, size, 'sym', dtype, confidence)
        index = torch.stack([user, item])
        graph = cls.from_adj(index, None, weight, None, num_users, num_items)
        return graph._replace(confidence=confidence)

    @property
    def num_users(self) -> int:
        r"""The number of users."""
        return self.to_user.size[0]

    @property
    def num_items(self) -> int:
        r"""The number of items."""
        return self.to_item.size[0]


def _equal(a: CSR, b: CSR) -> bool:
    # Memory and caches serve one copy better than two; a compiler cannot look.
    if torch.compiler.is_compiling() or a.size != b.size:
        return False
    if not (torch.equal(a.rowptr, b.rowptr) and torch.equal(a.col, b.col)):
        return False
    if a.value is None or b.value is None:
        return a.value is b.value
    if a.value.requires_grad or b.value.requires_grad:
        return False  # Each learns by itself.
    return torch.equal(a.value, b.value)


class ModalityGraph(NamedTuple):
    r"""Which nodes of one modality describe which items.

    Args:
        to_item (Adjacency): From the nodes to items, with weights that take the
            mean over the nodes of an item.
        described (torch.Tensor): Ones for items that have the modality and zeros
            for others, of shape :math:`(|\mathcal{I}|, 1)`.
        user_degree (torch.Tensor): How many of their items have the modality, at
            least one, of shape :math:`(|\mathcal{U}|, 1)`.
    """

    to_item: Adjacency
    described: Tensor
    user_degree: Tensor

    @classmethod
    def from_adj(
        cls,
        describes: Adj,
        interactions: BipartiteGraph,
        weight: OptTensor = None,
        num_nodes: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> 'ModalityGraph':
        r"""Compresses any adjacency of PyG.

        Args:
            describes (SparseTensor or torch.Tensor or EdgeIndex): Edges from the
                nodes of the modality to items.
            interactions (BipartiteGraph): The interactions; weights do not count.
            weight (torch.Tensor, optional): Weights of edge indices.
                (default: :obj:`None`)
            num_nodes (int, optional): The number of nodes; needed for a plain edge
                index. (default: :obj:`None`)
            dtype (torch.dtype, optional): The type of computed weights.
                (default: :obj:`None`)
        """
        dtype = torch.get_default_dtype() if dtype is None else dtype
        size = None if num_nodes is None else (interactions.num_items, num_nodes)
        to_item = Adjacency.from_adj(describes, weight, size, 'mean', dtype)
        described = (to_item.degree > 0).to(dtype).view(-1, 1)
        csr = interactions.to_user.csr
        degree = described.new_zeros(csr.size[0], 1)
        degree.index_add_(0, csr.row, described[csr.col])
        return cls(to_item, described, degree.clamp_(min=1))
