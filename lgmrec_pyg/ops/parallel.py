r"""How several processes share a model and its batches, as layers and losses see it.

Outside of :func:`parallel`, every function here returns what it was given. Within it,
the objective is the sum of what the processes return, so that gradients are right by
the adjoint of every collective, without any factor of the number of processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lgmrec_pyg.ops.processes import Parallel

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


@contextmanager
def own_part(
    *batch: Tensor, generator: Generator | None = None
) -> Iterator[tuple[Tensor, ...]]:
    r"""The triplets of a batch around which this process draws a part of the graph.

    Until the end of the block, and so of the step, processes draw random numbers of
    their own. Then, those that all draw alike go on.

    Args:
        *batch (torch.Tensor): The triplets of all processes.
        generator (torch.Generator, optional): The source of randomness besides the
            global one. (default: :obj:`None`)
    """
    here = active('batch')
    if here is None or not here.is_enough(batch[0].size(0)):
        yield batch
        return
    sources = [torch.default_generator]
    if batch[0].is_cuda:
        sources.append(torch.cuda.default_generators[batch[0].get_device()])
    sources += [] if generator is None else [generator]
    seed = int(torch.randint(2**62, ())) + here.rank
    states = [source.get_state() for source in sources]
    here.own_batch = batch[0].size(0)
    for source in sources:
        source.manual_seed(seed)
    try:
        yield tuple(map(here.part, batch))
    finally:
        here.own_batch = None
        for source, state in zip(sources, states, strict=True):
            source.set_state(state)


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
