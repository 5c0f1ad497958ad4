import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous


@contextmanager
def processes(device: str = 'cpu') -> Iterator[tuple[Any, torch.device]]:
    r"""Joins the processes that :obj:`torchrun` started, and leaves them at the end.

    .. code-block:: python

        with processes('cuda') as (mesh, device), parallel(mesh, 'columns'):
            ...

    Args:
        device (str, optional): The type of device: :obj:`"cpu"`, where processes talk
            by gloo, or :obj:`"cuda"`, where they do by NCCL, each on a GPU of its own.
            (default: :obj:`"cpu"`)

    Returns:
        The mesh of all processes, and the device of this one.

    Raises:
        RuntimeError: If the process was not started by :obj:`torchrun`.
    """
    if 'LOCAL_RANK' not in os.environ:
        raise RuntimeError(
            'Processes need to be started by torchrun: torchrun --nproc-per-node N '
            'SCRIPT'
        )
    kind = torch.device(device).type
    here = torch.device('cpu')
    if kind == 'cuda':
        here = torch.device('cuda', int(os.environ['LOCAL_RANK']))
        torch.cuda.set_device(here)
    # Checkpoints and objects go by gloo in any case.
    backend = 'gloo' if kind == 'cpu' else 'cpu:gloo,cuda:nccl'
    # Torchrun keeps one store over its restarts. Without a prefix, processes may wait
    # for those of before, whose addresses are still in there.
    store, rank, size = next(rendezvous('env://'))
    store = dist.PrefixStore(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0'), store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield dist.init_device_mesh(kind, (dist.get_world_size(),)), here
    finally:
        dist.destroy_process_group()
