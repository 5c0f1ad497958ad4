from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lgmrec_pyg.distributed.partition import partition
from lgmrec_pyg.ops.parallel import active
from lgmrec_pyg.ops.processes import Parallel
from lgmrec_pyg.training.identity import identify_model


def shard(model: Any, inputs: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    r"""The part of a model, with its weights, and of its inputs that this process
    holds, within :func:`parallel`.

    * Shared by :obj:`"batch"`, every process holds all of both.
    * By :obj:`"columns"`, it holds a part of the columns of tables and projections and
      the whole graph. Propagation is linear a column, and needs no communication.
    * By :obj:`"rows"`, it holds a part of the users and of the items, the edges to
      them and the features of these items. Every layer gathers the rows of the others.

    Args:
        model (torch.nn.Module): The whole model, with the same weights in every
            process. :class:`~lgmrec_pyg.nn.LGMRec` and
            :class:`~lgmrec_pyg.nn.LightGCN` may be shared in every way, others of
            :obj:`lgmrec_pyg.nn` by :obj:`"batch"` alone. A class of your own says so by
            :obj:`shared_by = ('batch',)`, once the loss that it returns is the *share*
            of this process: a sum over its part of the batch, or
            :meth:`lgmrec_pyg.ops.parallel.batch_mean` in place of a mean.
        inputs (Sequence[Any]): The arguments of its forward, see
            :func:`~lgmrec_pyg.graph.model_inputs`.

    Raises:
        ValueError: If the number of columns is no multiple of that of processes, or the
            model cannot be shared this way.
    """
    here = _active()
    name = type(model).__name__
    shared_by = getattr(model, 'shared_by', None)
    if shared_by is None:
        raise ValueError(
            f"'{name}' needs to say by 'shared_by' how processes may share it, see the "
            f"documentation of 'shard' (got none)"
        )
    if here.by not in shared_by:
        if not shared_by:
            raise ValueError(
                f"'{name}' cannot be shared by processes: its loss has terms that are "
                f'no sums over the batch'
            )
        raise ValueError(
            f"'{name}' needs to be shared by one of {shared_by} (got {here.by!r})"
        )
    identity = identify_model(model, inputs)
    settings = dict(getattr(model, 'settings', {}))
    for name in ('num_users', 'num_items'):
        if here.by != 'batch' and not here.is_enough(settings[name]):
            raise ValueError(
                f"'{name}' needs to leave a part to each of the {here.size} processes "
                f'(got {settings[name]})'
            )
    if here.by == 'batch':
        return model, inputs
    if here.by == 'columns':
        settings['embedding_dim'], rest = divmod(settings['embedding_dim'], here.size)
        if rest:
            raise ValueError(
                f"'embedding_dim' needs to be a multiple of the {here.size} processes "
                f'(got {model.settings["embedding_dim"]})'
            )
    else:
        inputs = partition(inputs, here)
        for name in ('num_users', 'num_items'):
            start, stop = here.bounds(settings[name])
            settings[name] = stop - start
    with torch.random.fork_rng(devices=[]):
        own: Any = type(model)(**settings)
    whole = model.state_dict()
    own.to(next(iter(whole.values())))
    with torch.no_grad():
        for name, weight in own.state_dict().items():
            sides = zip(weight.shape, whole[name].shape, strict=True)
            dim = next((i for i, (a, b) in enumerate(sides) if a != b), None)
            if dim is not None:
                here.sharded[name] = dim
            weight.copy_(whole[name] if dim is None else here.part(whole[name], dim))
    if hasattr(model, 'contrast'):
        own.contrast = model.contrast
    own.identity = identity
    own.settings = dict(model.settings)
    return own.train(model.training), inputs


@torch.no_grad()
def unshard(model: Any, rank: int | None = None) -> dict[str, Tensor]:
    r"""The weights of the whole model, of the parts of all processes.

    Args:
        model (torch.nn.Module): The part of this process, as of :func:`shard`.
        rank (int, optional): The process that gets them, one after the other, while
            others get none. If :obj:`None`, all do. (default: :obj:`None`)
    """
    here = _active()
    out = {}
    for name, weight in model.state_dict().items():
        if name in here.sharded:
            weight = here.as_dtensor(weight, here.sharded[name]).full_tensor()
        if rank in (None, here.rank):
            out[name] = weight
    return out


def _active() -> Parallel:
    here = active()
    if here is None:
        raise RuntimeError("Sharding needs to happen within 'parallel(mesh, by)'")
    return here
