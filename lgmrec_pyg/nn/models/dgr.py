from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.nn.desmoothed_propagation import DesmoothedPropagation
from lgmrec_pyg.nn.loss.local_correction import LocalCorrection
from lgmrec_pyg.nn.models.base import GraphRecommender
from lgmrec_pyg.nn.models.bm3 import BM3
from lgmrec_pyg.nn.models.freedom import FREEDOM
from lgmrec_pyg.nn.models.gmgl import GMGL
from lgmrec_pyg.nn.models.lgmrec import LGMRec
from lgmrec_pyg.nn.models.lightgcn import LightGCN
from lgmrec_pyg.nn.models.mgcn import MGCN
from lgmrec_pyg.nn.models.smore import SMORE
from lgmrec_pyg.nn.models.srgformer import SRGFormer

BACKBONES = {
    cls.__name__: cls
    for cls in (LightGCN, LGMRec, FREEDOM, MGCN, BM3, SMORE, SRGFormer, GMGL)
}


class DGRLosses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    backbone: Tensor
    near: Tensor
    far: Tensor


class DGR(GraphRecommender):
    r"""The DGR framework from the `"DGR: A General Graph Desmoothing Framework for
    Recommendation via Global and Local Perspectives"
    <https://arxiv.org/abs/2403.04287>`_ paper, around another recommender of this
    package.

    The propagation of ID embeddings becomes a
    :class:`~lgmrec_pyg.nn.DesmoothedPropagation`, and the loss

    .. math::
        \mathcal{L} = \mathcal{L}_{\mathrm{backbone}} + \lambda_1 \mathcal{L}^+ -
        \lambda_2 \mathcal{L}^-

    with the terms of :class:`~lgmrec_pyg.nn.LocalCorrection`, which are sums over
    the batch, on embeddings that are not yet scaled to unit length. The public code
    halves the projection, picks :math:`\mathcal{N}^-` by positions in a shuffled
    list, so at random, and reports the epoch that is best in the test.

    Args:
        num_users (int): The number of users.
        num_items (int): The number of items.
        feature_dims (Dict[str, int]): The feature width of every modality.
        embedding_dim (int, optional): The embedding size. (default: :obj:`64`)
        backbone (str, optional): The name of a model, *e.g.*, :obj:`"LGMRec"` or
            :obj:`"FREEDOM"`. (default: :obj:`"LightGCN"`)
        backbone_settings (Dict[str, Any], optional): Further arguments of its
            constructor, but for the number of layers of ID embeddings, which is that
            of :obj:`alphas`. (default: :obj:`None`)
        alphas (Sequence[float], optional): The strengths of desmoothing, one a
            layer of the ID embeddings. (default: :obj:`(0.1, 1.1, 0.0)`)
        released (bool, optional): If set to :obj:`True`, halves the projection.
            (default: :obj:`False`)
        near_weight (float, optional): :math:`\lambda_1`. (default: :obj:`1e-2`)
        far_weight (float, optional): :math:`\lambda_2`. (default: :obj:`5e-6`)
        k (int, optional): The number of items on either side. (default: :obj:`10`)
        ranking_loss (str, optional): That of the backbone, or its own default if
            :obj:`None`. (default: :obj:`None`)
        ranking_temperature (float, optional): The temperature of
            :obj:`"softmax"`. (default: :obj:`0.2`)

    Raises:
        ValueError: If the backbone is unknown, or has no such loss.
    """

    needs_modalities = False
    ranking_losses = (None, 'bpr', 'bootstrap', 'softmax')

    def __init__(
        self,
        num_users: int,
        num_items: int,
        feature_dims: dict[str, int],
        embedding_dim: int = 64,
        backbone: str = 'LightGCN',
        backbone_settings: dict[str, Any] | None = None,
        alphas: Sequence[float] = (0.1, 1.1, 0.0),
        released: bool = False,
        near_weight: float = 1e-2,
        far_weight: float = 5e-6,
        k: int = 10,
        ranking_loss: str | None = None,
        ranking_temperature: float = 0.2,
    ) -> None:
        super().__init__(locals())
        if backbone not in BACKBONES:
            raise ValueError(
                f"'backbone' needs to be one of {list(BACKBONES)} (got {backbone!r})"
            )
        self.near_weight = near_weight
        self.far_weight = far_weight
        self.backbone = self.backbone_of(BACKBONES[backbone], backbone_settings)
        self.backbone.collaborative = DesmoothedPropagation(alphas, released=released)
        self.correction = LocalCorrection(k)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.backbone.reset_parameters()

    def forward(self, x_dict: dict[str, Tensor], graph: MultimodalGraph) -> Any:
        self.check(x_dict, graph)
        return self.backbone(x_dict, graph), graph.interactions

    def loss(self, out: Any, user: Tensor, pos: Tensor, neg: Tensor) -> DGRLosses:
        r"""Computes the loss of a batch of triplets."""
        out, interactions = out
        losses = self.backbone.loss(out, user, pos, neg)
        users, items = self._final(out)
        users = F.embedding(user, users)
        near, far = self.correction(users, items, pos, interactions)
        total = losses.total + self.near_weight * near - self.far_weight * far
        return DGRLosses(total, losses.ranking, losses.total, near, far)

    def embed(self, *args: Any) -> tuple[Tensor, Tensor]:
        r"""Computes the final embeddings of all users and items."""
        return self.backbone.embed(*args)

    def _final(self, out: Any) -> tuple[Tensor, Tensor]:
        if isinstance(self.backbone, LGMRec):
            return self.backbone.fusion(out.user), self.backbone.fusion(out.item)
        return out.user, out.item
