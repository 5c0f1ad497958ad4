import hashlib
import json
import os
import os.path as osp
import shutil
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lgmrec_pyg.ops.processes import Parallel
from lgmrec_pyg.storage._reading import reading
from lgmrec_pyg.storage.tensors import save_tensors

NEEDS = 'an undamaged part of a checkpoint'


def save_shards(
    tensors: dict[str, Tensor],
    dims: dict[str, int | None],
    path: str,
    name: str,
    metadata: dict[str, str],
    here: Parallel,
) -> None:
    r"""Saves the tensors of all processes through :obj:`torch.distributed.checkpoint`,
    each the part that it holds, to be loaded by any number of processes.

    Parts go to the folder :obj:`{path}.shards/{name}`, in the format of
    :obj:`safetensors` and without any pickle. Then the file :obj:`path`, with all
    other tensors and the digests of the parts, is replaced as a whole: until it is,
    that of before and its parts are the checkpoint.

    Args:
        tensors (Dict[str, torch.Tensor]): What this process holds.
        dims (Dict[str, int]): The dimension in which a tensor is split, or
            :obj:`None` if every process holds all of it. Tensors that are not in
            there are the same in every process, and small.
        path (str): The path of the file.
        name (str): The name of this state, other than that of the state before.
        metadata (Dict[str, str]): What to store besides.
        here (Parallel): The processes.
    """
    folder = osp.join(f'{path}.shards', name)
    if here.rank == 0:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    dist.barrier(here.group)
    checkpoint, writer, _ = _dcp()
    parts = {
        key: here.as_dtensor(tensors.pop(key).detach().contiguous(), dim)
        for key, dim in dims.items()
    }
    checkpoint.save(
        parts,
        storage_writer=writer(folder, save_distributed=True),
        process_group=here.group,
    )
    if here.rank == 0:
        files = os.listdir(folder)
        digests = {file: _digest(osp.join(folder, file)) for file in files}
        shards = json.dumps({'folder': name, 'digests': digests})
        save_tensors(tensors, path, {**metadata, 'shards': shards})
        for other in os.listdir(f'{path}.shards'):
            if other != name:
                shutil.rmtree(osp.join(f'{path}.shards', other))
    dist.barrier(here.group)


def read_shards(
    path: str,
    metadata: dict[str, str],
    place: Callable[[str], tuple[Tensor, int | None]],
    here: Parallel,
) -> dict[str, Tensor]:
    r"""Reads what :func:`save_shards` saved: the part of this process.

    Args:
        path (str): The path of the file.
        metadata (Dict[str, str]): What it stores besides tensors.
        place (Callable): Maps a name to a tensor like the part that this process
            needs, and to the dimension in which it is one.
        here (Parallel): The processes.

    Raises:
        ValueError: If a file is damaged.
    """
    with reading(path, 'an undamaged checkpoint of several processes'):
        shards = json.loads(metadata['shards'])
        folder = osp.join(f'{path}.shards', osp.basename(shards['folder']))
        files = sorted(shards['digests'].items())
    # Each process reads some, and all learn of what one finds.
    wrong = [
        osp.basename(file)
        for file, expected in files[here.rank :: here.size]
        if not _is_intact(osp.join(folder, osp.basename(file)), expected)
    ]
    found: list[list[str]] = [[] for _ in range(here.size)]
    dist.all_gather_object(found, wrong, group=here.group)
    checkpoint, _, reader = _dcp()
    names = [file for files in found for file in files]
    with reading(osp.join(folder, *names[:1]), NEEDS):
        if names:
            raise ValueError('its digest differs')
        storage = reader(folder)
        parts = {}
        for name in storage.read_metadata().state_dict_metadata:
            like, dim = place(name)
            parts[name] = here.as_dtensor(torch.empty_like(like), dim)
        checkpoint.load(parts, storage_reader=storage, process_group=here.group)
    return {key: x.to_local() for key, x in parts.items()}


def _is_intact(path: str, expected: str) -> bool:
    return osp.isfile(path) and _digest(path) == expected


def _digest(path: str) -> str:
    sha = hashlib.sha256()
    with open(path, 'rb') as file:
        while content := file.read(2**24):
            sha.update(content)
    return sha.hexdigest()


def _dcp() -> tuple[Any, Any, Any]:
    import torch.distributed.checkpoint as dcp

    try:
        return dcp, dcp.HuggingFaceStorageWriter, dcp.HuggingFaceStorageReader
    except AttributeError as error:
        raise ImportError(
            'Checkpoints of several processes need a newer PyTorch: pip install '
            "'torch>=2.9'"
        ) from error
