r"""How several processes share a model and its batches, as layers and losses see it.

Outside of :func:`parallel`, every function here returns what it was given. Within it,
the objective is the sum of what the processes return, so that gradients are right by
the adjoint of every collective, without any factor of the number of processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

KINDS = ('batch', 'columns', 'rows')


class AllReduce(torch.autograd.Function):
    r"""The sum over all processes. It goes into the objective of each of them, so that
    the gradient is the sum of their gradients.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        out = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(out, group=group)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return AllReduce.apply(grad, ctx.group), None


class Parallel:
    r"""The processes, and what each of them holds.

    Args:
        mesh (torch.distributed.device_mesh.DeviceMesh): The processes, in one row.
        by (str): :obj:`"batch"`: each has a part of every batch and the whole model;
            :obj:`"columns"`: a part of the columns of every table;
            :obj:`"rows"`: a part of the users and of the items.
    """

    def __init__(self, mesh: Any, by: str) -> None:
        if by not in KINDS:
            raise ValueError(f"'by' needs to be one of {KINDS} (got {by!r})")
        self.mesh, self.by = mesh, by
        self.rank, self.size = mesh.get_local_rank(), mesh.size()
        self.group = mesh.get_group()
        self.batch_size: int | None = None
        #: The weights of which a process holds a part, and the dimension in which.
        self.sharded: dict[str, int] = {}

    def bounds(self, length: int) -> tuple[int, int]:
        r"""Where the part of this process begins and ends, as for a ``DTensor``."""
        size = -(-length // self.size)
        return min(self.rank * size, length), min((self.rank + 1) * size, length)

    def part(self, x: Tensor, dim: int = 0) -> Tensor:
        r"""The part of this process."""
        start, stop = self.bounds(x.size(dim))
        return x.narrow(dim, start, stop - start)

    def whole(self, x: Tensor, dim: int, length: int) -> Tensor:
        r"""The parts of all processes, one after the other."""
        from torch.distributed.tensor import Partial

        partial = [Partial()]
        return self.as_dtensor(x, dim, length).full_tensor(grad_placements=partial)

    def as_dtensor(self, x: Tensor, dim: int | None, length: int | None = None) -> Any:
        r"""A ``DTensor`` of which this process holds :obj:`x`."""
        from torch.distributed.tensor import DTensor, Replicate, Shard

        if dim is None or x.dim() == 0:
            return DTensor.from_local(x, self.mesh, [Replicate()], run_check=False)
        shape = list(x.shape)
        shape[dim] = self.total(x.size(dim), x.device) if length is None else length
        stride = torch.empty(shape, device='meta').stride()
        shard = [Shard(dim)]
        return DTensor.from_local(
            x, self.mesh, shard, run_check=False, shape=torch.Size(shape), stride=stride
        )

    def sum(self, x: Tensor) -> Tensor:
        r"""The sum over all processes, with its gradient."""
        return AllReduce.apply(x, self.group)

    def total(self, count: int, device: Any) -> int:
        r"""The sum of a number over all processes."""
        out = torch.tensor(count, device=device)
        dist.all_reduce(out, group=self.group)
        return int(out)

    def take(self, *batch: Tensor) -> tuple[Tensor, ...]:
        r"""What the loss gets of a global batch."""
        self.batch_size = batch[0].size(0)
        return tuple(map(self.part, batch)) if self.by == 'batch' else batch

    def reduce(self, model: Module, losses: Any) -> Any:
        r"""Sums up gradients that are not of this process alone, and the loss."""
        work = [
            dist.all_reduce(param.grad, group=self.group, async_op=True)
            for name, param in model.named_parameters()
            if param.grad is not None and name not in self.sharded
        ]
        terms = torch.stack([term.detach() for term in losses])
        dist.all_reduce(terms, group=self.group)
        for handle in work:
            handle.wait()
        return type(losses)(*terms)

    def clip_grad_norm(self, model: Module, max_norm: float) -> None:
        r"""Clips gradients by the norm of those of all processes."""
        square = torch.zeros(2)
        for name, param in model.named_parameters():
            if param.grad is not None:
                square = square.to(param.grad)
                square[int(name in self.sharded)] += param.grad.square().sum()
        dist.all_reduce(square[1:], group=self.group)
        norm = square.sum().sqrt()
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_norm, norm)


_ACTIVE: list[Parallel] = []


@contextmanager
def parallel(mesh: Any, by: str = 'batch') -> Iterator[Parallel]:
    r"""Lets layers and losses work on what each of several processes holds.

    Args:
        mesh (torch.distributed.device_mesh.DeviceMesh): The processes.
        by (str, optional): What they share, see :class:`Parallel`.
            (default: :obj:`"batch"`)
    """
    _ACTIVE.append(Parallel(mesh, by))
    try:
        yield _ACTIVE[-1]
    finally:
        _ACTIVE.pop()


def active(*by: str) -> Parallel | None:
    r"""The processes, if there are several that share by one of these."""
    if not _ACTIVE or (by and _ACTIVE[-1].by not in by):
        return None
    return _ACTIVE[-1]


def lookup(table: Tensor, index: Tensor) -> Tensor:
    r"""Rows of all nodes: of a table that is held by rows, those of the part of the
    batch that is this process's, else of all of :obj:`index`. Those of several batches
    of one size, one in a row of :obj:`index`, follow one another.
    """
    here = active('rows')
    if here is None:
        return F.embedding(index, table).flatten(0, -2)
    from torch.distributed.tensor import Shard

    out: Any = F.embedding(here.as_dtensor(index, None), here.as_dtensor(table, 0))
    out = out.redistribute(placements=[Shard(index.dim() - 1)])
    return out.to_local().flatten(0, -2)


def batch_part(x: Tensor) -> Tensor:
    r"""The part of this process of rows of the batch that all have."""
    here = active('columns')
    return x if here is None else here.part(x)


def index_part(index: Tensor) -> Tensor:
    r"""The part of this process of a batch of indices."""
    here = active('columns', 'rows')
    return index if here is None else here.part(index)


def batch_size(size: int) -> int:
    r"""The size of the batch of all processes, of which this one may see a part."""
    here = active()
    return size if here is None or here.batch_size is None else here.batch_size


def batch_mean(x: Tensor) -> Tensor:
    r"""The share of this process in the mean over the batch."""
    return x.mean() if active() is None else x.sum() / batch_size(x.numel())


def batch_norm(x: Tensor) -> Tensor:
    r"""The share of this process in the Frobenius norm of the batch."""
    here = active()
    if here is None:
        return x.norm()
    square = here.sum(x.square().sum())
    return square.clamp_min(torch.finfo(x.dtype).tiny).sqrt() / here.size


def all_of_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    r"""The rows of the whole batch, and which of them are this process's."""
    here = active()
    if here is None:
        return x, torch.arange(x.size(0), device=x.device)
    size = batch_size(x.size(0))
    index = torch.arange(*here.bounds(size), device=x.device)
    return x if here.by == 'columns' else here.whole(x, 0, size), index


def all_columns(x: Tensor) -> Tensor:
    r"""Rows with the columns of all processes."""
    here = active('columns')
    return x if here is None else here.whole(x, 1, here.size * x.size(1))


def all_nodes(x: Tensor, length: int | None = None) -> Tensor:
    r"""The rows of the nodes of all processes."""
    here = active('rows')
    if here is None or x.size(0) == length:
        return x
    length = here.total(x.size(0), x.device) if length is None else length
    return here.whole(x, 0, length)


def own_nodes(x: Tensor) -> Tensor:
    r"""The rows of the nodes of this process."""
    here = active('rows')
    return x if here is None else here.part(x)


def sum_columns(x: Tensor) -> Tensor:
    r"""The sum over the columns of all processes of sums over their own."""
    here = active('columns')
    return x if here is None else here.sum(x)


def sum_nodes(x: Tensor) -> Tensor:
    r"""The sum over the nodes of all processes of sums over their own."""
    here = active('rows')
    return x if here is None else here.sum(x)


def num_columns(x: Tensor) -> int:
    r"""The number of columns of all processes."""
    here = active('columns')
    return x.size(1) if here is None else here.size * x.size(1)
