from typing import TypeGuard

from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.nn.fusion import HypergraphEmbedding
from lgmrec_pyg.nn.loss.sampled_infonce import sampled_infonce
from lgmrec_pyg.ops._infonce import check_backend, infonce
from lgmrec_pyg.ops._matmul import matmul
from lgmrec_pyg.ops.parallel import (
    active,
    all_columns,
    all_nodes,
    batch_part,
    batch_size,
    index_part,
    lookup,
    num_columns,
    sum_columns,
)
from lgmrec_pyg.ops.rows import smallest_norm, unit_rows


class HypergraphContrast(Module):
    r"""The cross-modal hypergraph contrast of the `"LGMRec: Local and Global
    Graph Learning for Multimodal Recommendation"
    <https://arxiv.org/abs/2312.16400>`_ paper: the InfoNCE loss between two
    embeddings of the same nodes.

    .. math::
        \mathcal{L} = - \sum_{b \in \mathcal{B}} \log \frac{\exp(\cos(
        \mathbf{a}_b, \mathbf{k}_b) / \tau)}{\sum_{n=1}^{N} \exp(\cos(
        \mathbf{a}_b, \mathbf{k}_n) / \tau)}

    A batch of anchors is held against *all* nodes, but the
    :math:`B \times N` similarities are never stored. Embeddings that come as
    :class:`~lgmrec_pyg.nn.HypergraphEmbedding` with no more hyperedges :math:`K`
    than columns :math:`d` stay in their two factors: every similarity then costs
    :math:`K` instead of :math:`d` multiplications, on CPU only those of memberships
    that were not dropped, with the same result up to rounding (single precision
    loses digits where embeddings are small differences, below a hundredth, of large
    hyperedge features).

    Args:
        temperature (float, optional): The temperature :math:`\tau`.
            (default: :obj:`0.2`)
        reduction (str, optional): :obj:`"sum"`, as in the paper, or
            :obj:`"mean"` over the batch, which frees the weight of the loss from
            the batch size. (default: :obj:`"sum"`)
        symmetric (bool, optional): If set to :obj:`True`, takes the mean of both
            directions, with either side as the anchor.
            (default: :obj:`False`)
        backend (str, optional): How to compute: see
            :func:`~lgmrec_pyg.ops.infonce`. (default: :obj:`"auto"`)

    Shapes:
        - **input:** anchors and keys :math:`(N, d)`, the indices
          :math:`(B)` of the batch
        - **output:** a scalar

    Raises:
        ValueError: If the temperature is not positive or the reduction unknown.
    """

    def __init__(
        self,
        temperature: float = 0.2,
        reduction: str = 'sum',
        symmetric: bool = False,
        backend: str = 'auto',
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"'temperature' needs to be positive (got {temperature})")
        if reduction not in ('sum', 'mean'):
            raise ValueError(
                f"'reduction' needs to be 'sum' or 'mean' (got {reduction!r})"
            )
        check_backend(backend)
        self.temperature = temperature
        self.reduction = reduction
        self.symmetric = symmetric
        self.backend = backend

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(
        self,
        anchor: Tensor | HypergraphEmbedding,
        key: Tensor | HypergraphEmbedding,
        index: Tensor,
        weight: Tensor | None = None,
    ) -> Tensor:
        r"""Runs the forward pass of the module.

        Args:
            anchor (torch.Tensor or HypergraphEmbedding): The first embedding of
                all nodes.
            key (torch.Tensor or HypergraphEmbedding): The second embedding of
                all nodes.
            index (torch.Tensor): The nodes of the batch; duplicates count twice.
            weight (torch.Tensor, optional): If the nodes are a sample, the inverse
                probability of each to be in it, see
                :func:`~lgmrec_pyg.nn.loss.sampled_infonce`. (default: :obj:`None`)
        """
        loss = self._one_way(anchor, key, index, weight)
        if self.symmetric:
            loss = (loss + self._one_way(key, anchor, index, weight)) / 2
        return loss / batch_size(index.numel()) if self.reduction == 'mean' else loss

    def _one_way(
        self,
        anchor: Tensor | HypergraphEmbedding,
        key: Tensor | HypergraphEmbedding,
        index: Tensor,
        weight: Tensor | None,
    ) -> Tensor:
        masked = False
        if _is_low_rank(anchor) and _is_low_rank(key):
            anchors, keys = low_rank_cosine(anchor.select(index), key)
            masked = key.masked
        else:
            anchors, keys = unit_rows(lookup(_dense(anchor), index)), _dense(key)
            anchors, keys = all_columns(anchors), all_columns(unit_rows(keys))
        rows = batch_part(anchors), all_nodes(keys), index_part(index)
        if weight is not None:
            return sampled_infonce(*rows, weight, self.temperature)
        return infonce(*rows, self.temperature, self.backend, masked)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(temperature={self.temperature}, '
            f'reduction={self.reduction!r}, symmetric={self.symmetric})'
        )


def low_rank_cosine(
    anchor: HypergraphEmbedding, key: HypergraphEmbedding
) -> tuple[Tensor, Tensor]:
    r"""Vectors of :math:`K` columns whose inner products are the cosines of the
    :math:`d`-dimensional embeddings.

    .. math::
        \cos(\mathbf{H}_a \mathbf{L}_a, \mathbf{H}_k \mathbf{L}_k) =
        \frac{\mathbf{H}_a \mathbf{L}_a \mathbf{L}_k^{\top}}{\Vert \mathbf{H}_a
        \mathbf{L}_a \Vert} \cdot \frac{\mathbf{H}_k}{\Vert \mathbf{H}_k
        \mathbf{L}_k \Vert}
    """
    product = sum_columns(anchor.latent @ key.latent.t())
    anchors = matmul(anchor.membership, product) / _norm(anchor)
    return anchors, key.membership / _norm(key)


def _norm(x: HypergraphEmbedding) -> Tensor:
    if 2 * x.latent.size(0) > num_columns(x.latent) and active('columns') is None:
        norm = x.dense().norm(dim=1, keepdim=True)
        return norm.clamp_min(smallest_norm(norm.dtype))
    # In double precision: hyperedges that nearly cancel leave little of the square.
    membership, latent = x.membership.double(), x.latent.double()
    gram = sum_columns(latent @ latent.t())
    square = ((membership @ gram) * membership).sum(1, keepdim=True)
    eps = smallest_norm(x.membership.dtype)
    return square.clamp_min(eps**2).sqrt().to(x.membership.dtype)


def _is_low_rank(x: Tensor | HypergraphEmbedding) -> TypeGuard[HypergraphEmbedding]:
    return not isinstance(x, Tensor) and x.latent.size(0) <= num_columns(x.latent)


def _dense(x: Tensor | HypergraphEmbedding) -> Tensor:
    return x if isinstance(x, Tensor) else x.dense()
