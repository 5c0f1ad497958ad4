r"""What several processes hold, and how they add it up."""

from typing import Any

import torch
import torch.distributed as dist
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
        #: The size of the batch of all, where each has drawn a part around its own.
        self.own_batch: int | None = None
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

    def is_enough(self, size: int) -> bool:
        r"""Whether there is a part for every process."""
        return (self.size - 1) * -(-size // self.size) < size

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
        if self.own_batch is not None:
            self.batch_size = self.own_batch
            return batch
        self.batch_size = batch[0].size(0)
        return tuple(map(self.part, batch)) if self.by == 'batch' else batch

    def reduce(self, model: Module, losses: Any) -> Any:
        r"""Sums up gradients that are not of this process alone, and the loss."""
        work = []
        for name, param in model.named_parameters():
            grad = param.grad
            if grad is not None and grad.is_sparse:
                grad = param.grad = grad.coalesce()
            if grad is None or name in self.sharded:
                continue
            if grad.is_sparse:
                param.grad = self.sum_rows(grad)
            else:
                work.append(dist.all_reduce(grad, group=self.group, async_op=True))
        terms = torch.stack([term.detach() for term in losses])
        dist.all_reduce(terms, group=self.group)
        for handle in work:
            handle.wait()
        return type(losses)(*terms)

    def sum_rows(self, grad: Tensor) -> Tensor:
        r"""The sum of sparse gradients, of other rows in every process."""
        index, values = grad.indices()[0], grad.values()
        sizes = index.new_zeros(self.size)
        sizes[self.rank] = index.numel()
        dist.all_reduce(sizes, group=self.group)
        longest = int(sizes.max())
        parts = []
        for x in (index, values):
            padded = x.new_zeros(longest, *x.shape[1:])
            padded[: x.size(0)] = x
            out = [torch.empty_like(padded) for _ in range(self.size)]
            dist.all_gather(out, padded, group=self.group)
            pairs = zip(out, sizes.tolist(), strict=True)
            parts.append(torch.cat([x[:size] for x, size in pairs]))
        rows = parts[0].view(1, -1)
        return torch.sparse_coo_tensor(rows, parts[1], grad.size()).coalesce()

    def grad_norm(self, model: Module) -> Tensor:
        r"""The norm of all gradients, of those that are split once."""
        square = torch.zeros(2)
        for name, param in model.named_parameters():
            if param.grad is not None:
                values = param.grad
                values = values.values() if values.is_sparse else values
                square = square.to(values)
                square[int(name in self.sharded)] += values.square().sum()
        dist.all_reduce(square[1:], group=self.group)
        return square.sum().sqrt()
