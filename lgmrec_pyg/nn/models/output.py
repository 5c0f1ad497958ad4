from typing import Any, NamedTuple

from torch import Tensor

from lgmrec_pyg.nn.fusion import NodeEmbedding
from lgmrec_pyg.ops.parallel import lookup


class LGMRecOutput(NamedTuple):
    r"""The embeddings of all users and items before their fusion.

    Args:
        user (NodeEmbedding): Those of users; in a part of a graph, of its seeds.
        item (NodeEmbedding): Those of items, likewise.
        user_weight (torch.Tensor, optional): In a part of a graph, the inverse
            probability of every user to be a seed. (default: :obj:`None`)
        item_weight (torch.Tensor, optional): That of every item.
            (default: :obj:`None`)
        candidates (torch.Tensor, optional): Which items a softmax is over; all, if
            :obj:`None`. (default: :obj:`None`)
    """

    user: NodeEmbedding
    item: NodeEmbedding
    user_weight: Tensor | None = None
    item_weight: Tensor | None = None
    candidates: Tensor | None = None


class ModelOutput(NamedTuple):
    r"""The final embeddings of all users and items, and what else a loss needs.

    Args:
        user (torch.Tensor): Of shape :math:`(|\mathcal{U}|, d)`.
        item (torch.Tensor): Of shape :math:`(|\mathcal{I}|, d)`.
        views (Dict[str, Tuple[torch.Tensor, torch.Tensor]], optional): Other
            embeddings of users and of items. (default: :obj:`{}`)
        inputs (Tuple[Any, ...], optional): The arguments of the forward.
            (default: :obj:`()`)
    """

    user: Tensor
    item: Tensor
    views: dict[str, tuple[Tensor, Tensor]] = {}  # noqa: RUF012
    inputs: tuple[Any, ...] = ()

    def select(self, user: Tensor, pos: Tensor, neg: Tensor) -> tuple[Tensor, ...]:
        r"""The embeddings of a batch of triplets."""
        check_triplets(user, pos, neg)
        item = lookup(self.item, pos), lookup(self.item, neg)
        return lookup(self.user, user), *item


def check_triplets(user: Tensor, pos: Tensor, neg: Tensor) -> None:
    r"""Raises an error if there is not one item of both kinds for every user."""
    if not user.size() == pos.size() == neg.size():
        raise ValueError(
            f"'user', 'pos' and 'neg' need to be of one size (got "
            f'{tuple(user.size())}, {tuple(pos.size())}, {tuple(neg.size())})'
        )


class Losses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    contrast: Tensor
    reg: Tensor


class RegularizedLosses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    reg: Tensor


class ModalityLosses(NamedTuple):
    r"""The loss and its terms before weighting, each a scalar."""

    total: Tensor
    ranking: Tensor
    modality: Tensor
