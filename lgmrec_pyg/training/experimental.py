r"""What was not run on the hardware that it is made for."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lgmrec_pyg.training.step import TrainingStep

__all__ = ['CapturedStep']


class CapturedStep(TrainingStep):
    r"""A :class:`TrainingStep` that is captured into a CUDA graph, and so costs
    one launch instead of hundreds.

    The first batches run as usual, to warm up; the capture then replays for
    every batch of the same size, and other batches run as usual. The optimizer
    needs to be :obj:`capturable`.

    .. warning::

        Written for and checked against the documentation of
        :class:`torch.cuda.CUDAGraph`, but not yet run on hardware.

    Args:
        model (torch.nn.Module): The model, on a CUDA device.
        inputs (Sequence[Any]): The arguments of the model's forward.
        optimizer (torch.optim.Optimizer): The optimizer.
        num_warmups (int, optional): The number of batches to run before the
            capture. (default: :obj:`3`)
        max_grad_norm (float, optional): The norm to clip gradients to.
            (default: :obj:`None`)

    Raises:
        ValueError: If a parameter is not on a CUDA device.
    """

    def __init__(
        self,
        model: Any,
        inputs: Sequence[Any],
        optimizer: Optimizer,
        num_warmups: int = 3,
        max_grad_norm: float | None = None,
    ) -> None:
        super().__init__(model, inputs, optimizer, max_grad_norm)
        for parameter in model.parameters():
            if not parameter.is_cuda:
                raise ValueError(
                    f"'model' needs to be on a CUDA device to capture its training "
                    f"step (got a parameter on '{parameter.device}')"
                )
        self.num_warmups = num_warmups
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: tuple[Tensor, ...] = ()
        self._losses: Any = None

    def __call__(self, user: Tensor, pos: Tensor, neg: Tensor) -> Any:
        batch = (user, pos, neg)
        if not self._batch:  # The first batch of an epoch is a full one.
            self._batch = tuple(x.clone() for x in batch)
        if user.size() != self._batch[0].size():
            return super().__call__(*batch)
        for static, x in zip(self._batch, batch, strict=True):
            static.copy_(x)
        if self.num_warmups > 0:
            self.num_warmups -= 1
            return self._warm_up()
        if self._graph is None:
            self._capture()
        assert self._graph is not None
        self._graph.replay()
        return type(self._losses)(*(term.clone() for term in self._losses))

    def _warm_up(self) -> Any:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = super().__call__(*self._batch)
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def _capture(self) -> None:
        self.optimizer.zero_grad()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._losses = super().__call__(*self._batch)
