from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from torch import Tensor
from torch.nn import Parameter

Triplet = tuple[Tensor, Tensor, Tensor]


class TripletBatches(Protocol):
    r"""Batches of :obj:`(user, positive, negative)`, anew in every epoch."""

    def __iter__(self) -> Iterator[Triplet]: ...

    def __len__(self) -> int: ...


class Recommender(Protocol):
    r"""What :meth:`fit` needs of a model: any :class:`torch.nn.Module` with a
    :meth:`forward`, a :meth:`loss` that returns a named tuple of scalars with
    the objective in :obj:`total`, and an :meth:`embed` for ranking.
    """

    def __call__(self, *inputs: Any) -> Any: ...

    def loss(self, out: Any, user: Tensor, pos: Tensor, neg: Tensor) -> Any: ...

    def embed(self, *inputs: Any) -> tuple[Tensor, Tensor]: ...

    def train(self, mode: bool = True) -> Any: ...

    def eval(self) -> Any: ...

    def parameters(self) -> Iterable[Parameter]: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> Any: ...
