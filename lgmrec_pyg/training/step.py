import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from lgmrec_pyg.graph import model_inputs, triplets
from lgmrec_pyg.ops.parallel import active

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # Of the malloc.h of glibc.
MAX_MMAP_THRESHOLD = 32 * 2**20
KEPT = 512 * 2**20


class TrainingStep:
    r"""One update of a model on one batch of triplets: forward, loss, backward and
    optimizer.

    Args:
        model (torch.nn.Module): The model, see
            :class:`~lgmrec_pyg.training.Trainable`.
        inputs (Sequence[Any]): The arguments of the model's forward.
        optimizer (torch.optim.Optimizer): The optimizer.
        max_grad_norm (float, optional): The norm to clip gradients to.
            (default: :obj:`None`)
        compile (bool, optional): If set to :obj:`True`, compiles forward and loss by
            :meth:`torch.compile`; the model itself stays as it is.
            (default: :obj:`False`)

    Shapes:
        - **input:** user, positive and negative item, each :math:`(B)`; or a part of
          the graph, see :class:`~lgmrec_pyg.sampling.SubgraphSampler`
        - **output:** the named tuple that the model's loss returns, detached
    """

    def __init__(
        self,
        model: Any,
        inputs: Sequence[Any],
        optimizer: Optimizer,
        max_grad_norm: float | None = None,
        compile: bool = False,  # noqa: A002
    ) -> None:
        self.model = model
        self.inputs = inputs
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm
        self._loss = torch.compile(_loss) if compile else _loss

    def __call__(self, *batch: Any) -> Any:
        inputs = self.inputs
        if len(batch) == 1:
            inputs, batch = model_inputs(batch[0]), triplets(batch[0])
        self.optimizer.zero_grad()
        self.model.zero_grad()  # Weights that are not optimized have gradients, too.
        processes = active()
        if processes is not None:
            if processes.by == 'rows' and inputs is not self.inputs:
                raise ValueError(
                    "Parts of a graph are to be shared by 'batch' or 'columns' (got "
                    "'rows')"
                )
            batch = processes.take(*batch)
        losses = self._loss(self.model, inputs, *batch)
        losses.total.backward()
        if processes is not None:
            losses = processes.reduce(self.model, losses)
        if self.max_grad_norm is not None:
            clip_gradients(self.model, self.max_grad_norm)
        self.optimizer.step()
        return type(losses)(*(term.detach() for term in losses))


@torch.no_grad()
def clip_gradients(model: Module, max_norm: float) -> None:
    r"""Scales all gradients down to a norm, sparse ones too, which
    :func:`torch.nn.utils.clip_grad_norm_` does not take.

    Args:
        model (torch.nn.Module): The model.
        max_norm (float): The largest norm of all gradients together.
    """
    values = []
    for param in model.parameters():
        if param.grad is not None and param.grad.is_sparse:
            param.grad = param.grad.coalesce()
            values.append(param.grad.values())
        elif param.grad is not None:
            values.append(param.grad)
    here, norm = active(), torch.nn.utils.get_total_norm(values)
    norm = norm if here is None else here.grad_norm(model)
    for value in values:
        value.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))


def _loss(
    model: Any, inputs: Sequence[Any], user: Tensor, pos: Tensor, neg: Tensor
) -> Any:
    return model.loss(model(*inputs), user, pos, neg)


@cache
def keep_freed_memory() -> bool:
    r"""Lets this process keep up to 512 MiB of memory that it has freed, for the next
    training step to take again.

    A step allocates and frees the same tensors every time. By default, glibc gives
    the larger ones back to the operating system, which then clears page after page
    anew, for a good part of a step on a large graph.

    Returns:
        Whether this process allocates by glibc; otherwise, nothing changes.
    """
    if not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    # Setting either stops glibc from adapting both.
    return bool(
        mallopt(M_MMAP_THRESHOLD, MAX_MMAP_THRESHOLD)
        and mallopt(M_TRIM_THRESHOLD, KEPT)
    )
