from collections.abc import Iterator
from functools import reduce
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.ops import matmul, unit_rows
from lgmrec_pyg.ops.parallel import lookup


class HypergraphEmbedding(NamedTuple):
    r"""Embeddings :math:`\mathbf{G} = \tilde{\mathbf{H}} \mathbf{L}` that nodes
    read from hyperedges, kept as their two factors.

    Args:
        membership (torch.Tensor): Memberships :math:`\tilde{\mathbf{H}}` of
            shape :math:`(N, K)`.
        latent (torch.Tensor): Hyperedge features :math:`\mathbf{L}` of shape
            :math:`(K, d)`.
        masked (bool, optional): Whether the gradients of zeros in
            :obj:`membership` are of no use, as after a softmax and a dropout, so
            that they need not be computed. (default: :obj:`False`)
    """

    membership: Tensor
    latent: Tensor
    masked: bool = False

    def dense(self) -> Tensor:
        r"""The product, of shape :math:`(N, d)`."""
        return matmul(self.membership, self.latent)

    def select(self, index: Tensor) -> 'HypergraphEmbedding':
        r"""The embeddings of some nodes."""
        return self._replace(membership=lookup(self.membership, index))


class NodeEmbedding(NamedTuple):
    r"""The embeddings of one node type before their fusion.

    Args:
        collaborative (torch.Tensor): Of shape :math:`(N, d)`.
        modality (Tuple[torch.Tensor, ...]): One a modality, :math:`(N, d)`.
        hypergraph (Tuple[HypergraphEmbedding, ...]): One a modality.
    """

    collaborative: Tensor
    modality: tuple[Tensor, ...]
    hypergraph: tuple[HypergraphEmbedding, ...]

    def select(self, index: Tensor) -> 'NodeEmbedding':
        r"""The embeddings of some nodes: fusing these is all a batch needs."""
        return NodeEmbedding(
            lookup(self.collaborative, index),
            tuple(lookup(x, index) for x in self.modality),
            tuple(x.select(index) for x in self.hypergraph),
        )

    def part(self, rows: slice) -> 'NodeEmbedding':
        r"""The embeddings of consecutive nodes, of those that this process holds."""
        return NodeEmbedding(
            self.collaborative[rows],
            tuple(x[rows] for x in self.modality),
            tuple(x._replace(membership=x.membership[rows]) for x in self.hypergraph),
        )


MODES = ('sum', 'concat')


class LocalGlobalFusion(Module):
    r"""Adds up local and global embeddings, as in the `"LGMRec: Local and Global
    Graph Learning for Multimodal Recommendation"
    <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \mathbf{e} = \mathbf{e}_{\mathrm{cge}} + \sum_{m}
        \frac{\mathbf{e}_{\mathrm{mge}, m}}{\Vert \mathbf{e}_{\mathrm{mge}, m}
        \Vert} + \alpha \frac{\mathbf{e}_{\mathrm{ghe}}}{\Vert
        \mathbf{e}_{\mathrm{ghe}} \Vert}, \qquad
        \mathbf{e}_{\mathrm{ghe}} = \sum_m \mathbf{g}_m

    By :obj:`"concat"`, modality embeddings stand beside the sum of the others instead,
    as they are, so that each of them meets its own kind in an inner product.

    Args:
        alpha (float, optional): The weight :math:`\alpha` of the global
            embedding. (default: :obj:`0.3`)
        collaborative (bool, optional): If set to :obj:`False`, leaves the
            collaborative embedding out. (default: :obj:`True`)
        mode (str, optional): :obj:`"sum"` or :obj:`"concat"`.
            (default: :obj:`"sum"`)

    Shapes:
        - **input:** a :class:`NodeEmbedding` of :math:`N` nodes
        - **output:** embeddings :math:`(N, d)`, wider by :math:`d` a modality if
          concatenated

    Raises:
        ValueError: If the mode is unknown.
    """

    def __init__(
        self, alpha: float = 0.3, collaborative: bool = True, mode: str = 'sum'
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"'mode' needs to be one of {MODES} (got {mode!r})")
        self.alpha = alpha
        self.collaborative = collaborative
        self.mode = mode

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, node: NodeEmbedding) -> Tensor:
        if self.mode == 'sum':
            return self._sum(node)
        # Without any other part, the sum of none is the collaborative embedding.
        alone = bool(node.modality) and not (self.collaborative or node.hypergraph)
        rest = () if alone else (self._sum(node._replace(modality=())),)
        return torch.cat([*rest, *node.modality], dim=1)

    def _sum(self, node: NodeEmbedding) -> Tensor:
        # One after the other, since all of a large graph at once take much memory.
        parts: Iterator[Tensor] = map(unit_rows, node.modality)
        if node.hypergraph:
            parts = chain(parts, map(self._global, (node.hypergraph,)))
        if self.collaborative or not (node.modality or node.hypergraph):
            parts = chain((node.collaborative,), parts)
        return reduce(torch.add, parts)

    def _global(self, hypergraph: tuple[HypergraphEmbedding, ...]) -> Tensor:
        return self.alpha * unit_rows(self.sum_modalities(hypergraph))

    @staticmethod
    def sum_modalities(hypergraph: tuple[HypergraphEmbedding, ...]) -> Tensor:
        r"""The global embedding :math:`\mathbf{e}_{\mathrm{ghe}}`."""
        out = hypergraph[0].dense()
        for embedding in hypergraph[1:]:
            out = out + embedding.dense()
        return out

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(alpha={self.alpha}, '
            f'collaborative={self.collaborative}, mode={self.mode!r})'
        )
