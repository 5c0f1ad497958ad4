from typing import NamedTuple

from torch import Tensor

from lgmrec_pyg.nn.fusion import NodeEmbedding


class LGMRecOutput(NamedTuple):
    r"""The embeddings of all users and items before their fusion."""

    user: NodeEmbedding
    item: NodeEmbedding


class Losses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    contrast: Tensor
    reg: Tensor
