import json
import os.path as osp
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lgmrec_pyg.ops.parallel import active
from lgmrec_pyg.storage._reading import reading
from lgmrec_pyg.storage.digest import check_same
from lgmrec_pyg.storage.sharded import read_shards, save_shards
from lgmrec_pyg.storage.tensors import read_tensors, save_tensors
from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.identity import IMPLEMENTATION

FORMAT, VERSION = 'lgmrec_pyg.checkpoint', '4'
ADVICE = 'remove it to start anew, or use another path'
NEEDS = f'an undamaged checkpoint of version {VERSION}: {ADVICE}'
_HOW = {True: "within 'parallel'", False: 'in one process'}


@dataclass
class Checkpoint:
    r"""The whole state of a training run between two epochs, in one file in the
    format of :obj:`safetensors`: weights, best weights, optimizer, schedule, random
    number generators, early stopping and history.

    The generators are those of PyTorch, on CPU and on CUDA devices, and
    :obj:`sampler.generator`; training uses no others. Processes that share the training
    draw alike, each on its own device, so that the state of one is that of all.
    """

    path: str
    run: dict[str, Any]
    model: Any
    optimizer: Optimizer
    scheduler: LRScheduler | None
    sampler: Any
    stopper: EarlyStopping

    def start(self, resume: bool) -> History:
        r"""Restores the state of the file if there is one, or saves the present
        one, since a folder that is not writable should not stop the first epoch
        at its end.
        """
        if not osp.lexists(self.path):
            history = History()
            self.save(history)
            return history
        if not resume:
            raise FileExistsError(
                f"'{self.path}' exists: pass 'resume=True' to continue from it, or "
                f'remove it to start anew'
            )
        return self.restore()

    def save(self, history: History) -> None:
        r"""Replaces the file by the present state."""
        tensors = {f'model/{k}': x for k, x in self.model.state_dict().items()}
        best = self.stopper.best_state or {}
        tensors |= {f'best/{k}': x for k, x in best.items()}
        tensors |= {f'random/{k}': x.get_state() for k, x in self._generators()}
        state = {
            'run': self.run,
            'history': history.to_dict(),
            'optimizer': _pack(self.optimizer.state_dict(), 'optimizer', tensors),
        }
        if self.scheduler is not None:
            schedule = self.scheduler.state_dict()
            state['scheduler'] = _pack(schedule, 'scheduler', tensors)
        metadata = {'format': FORMAT, 'version': VERSION, 'state': json.dumps(state)}
        here = active()
        if here is None:
            save_tensors(tensors, self.path, metadata)
            return
        shards = [k for k, x in tensors.items() if x.dim() > 0 and not _is_random(k)]
        dims = {name: self._place(name)[1] for name in shards}
        name = str(history.epochs_run)
        save_shards(tensors, dims, self.path, name, metadata, here)

    def restore(self) -> History:
        r"""Restores the state of the file, and returns the history up to it."""
        here = active()
        with reading(self.path, NEEDS):
            tensors, metadata = read_tensors(self.path)
            kind = metadata.get('format'), metadata.get('version')
            if kind != (FORMAT, VERSION):
                raise ValueError(f'it is {kind}')
            state = json.loads(metadata['state'])
            run = dict(state['run'])
        is_shared = 'shards' in metadata
        if is_shared != (here is not None):
            raise ValueError(
                f"'{self.path}' is a checkpoint of training {_HOW[is_shared]}, and can "
                f'be continued {_HOW[is_shared]} only (got a run {_HOW[not is_shared]})'
            )
        needs = f"'{self.path}' needs to be a checkpoint of the same run"
        check_same(run, self.run, needs, ADVICE)
        if here is not None:
            with reading(self.path, NEEDS):
                tensors |= read_shards(self.path, metadata, self._place, here)
        with reading(self.path, NEEDS):
            return self._restore(state, tensors)

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> History:
        history = History.from_dict(state['history'])
        self._restore_stopper(history, _with_prefix(tensors, 'best/'))
        self.model.load_state_dict(_with_prefix(tensors, 'model/'))
        restore_optimizer(self.optimizer, _unpack(state['optimizer'], tensors))
        if self.scheduler is not None:
            self.scheduler.load_state_dict(_unpack(state['scheduler'], tensors))
        for name, generator in self._generators():
            if not name.startswith('cuda') or f'random/{name}' in tensors:
                generator.set_state(tensors[f'random/{name}'])
        return history

    def _restore_stopper(self, history: History, best: dict[str, Tensor]) -> None:
        best_epoch = 0
        for epoch, metrics in zip(history.eval_epochs, history.metrics, strict=True):
            if self.stopper.update(metrics[self.run['monitor']], {}):
                best_epoch = epoch
        if best_epoch != history.best_epoch:
            raise ValueError(f'the best epoch is {best_epoch} by its metrics')
        if best_epoch > 0:
            self.model.load_state_dict(best)  # Which checks their names and shapes.
            weights = self.model.state_dict()
            self.stopper.best_state = {k: x.clone() for k, x in weights.items()}

    def _place(self, name: str) -> tuple[Tensor, int | None]:
        r"""The weight that a tensor is like, and how processes share it."""
        kind, key = name.split('/', 1)
        weights = self.model.state_dict()
        if kind == 'optimizer':
            names = {id(x): name for name, x in self.model.named_parameters()}
            groups = self.optimizer.param_groups
            params = [x for group in groups for x in group['params']]
            key = names[id(params[int(key.split('/')[1])])]
        here = active()
        return weights[key], None if here is None else here.sharded.get(key)

    def _generators(self) -> Iterator[tuple[str, Generator]]:
        yield 'cpu', torch.default_generator
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            generators = torch.cuda.default_generators
            if active() is not None:
                yield 'cuda', generators[torch.cuda.current_device()]
            else:
                yield from ((f'cuda/{i}', x) for i, x in enumerate(generators))
        own = getattr(self.sampler, 'generator', None)
        if isinstance(own, Generator):
            yield 'sampler', own


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    r"""Restores the state of an optimizer to the bit, but not how it computes, which
    depends on the device, which may be another one.
    """
    groups = list(zip(state['param_groups'], optimizer.param_groups, strict=True))
    for saved, group in groups:
        saved |= {x: group[x] for x in IMPLEMENTATION if x in group}
    optimizer.load_state_dict(state)
    for (saved, _), group in zip(groups, optimizer.param_groups, strict=True):
        for index, weight in zip(saved['params'], group['params'], strict=True):
            for name, value in state['state'].get(index, {}).items():
                shape = () if name == 'step' else weight.shape
                if not isinstance(value, Tensor):
                    continue
                if group.get('fused') and value.shape != shape:
                    # Fused optimizers trust them, and would read past the end.
                    raise ValueError(f"'{name}' is of shape {list(value.shape)}")
                if name != 'step':  # All others were cast to the type of the weight.
                    optimizer.state[weight][name] = value.to(weight.device)


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    # JSON has neither tensors, nor tuples, nor keys that are numbers.
    if isinstance(value, Tensor):
        tensors[name] = value
        return {'tensor': name}
    if isinstance(value, dict):
        return {
            'dict': [[k, _pack(x, f'{name}/{k}', tensors)] for k, x in value.items()]
        }
    if isinstance(value, (list, tuple)):
        entries = [_pack(x, f'{name}/{i}', tensors) for i, x in enumerate(value)]
        return {type(value).__name__: entries}
    return value


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == 'tensor':
        return tensors[content]
    if kind == 'dict':
        return {key: _unpack(x, tensors) for key, x in content}
    entries = [_unpack(x, tensors) for x in content]
    return tuple(entries) if kind == 'tuple' else entries


def _is_random(name: str) -> bool:
    return name.startswith('random/')


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        k.removeprefix(prefix): x for k, x in tensors.items() if k.startswith(prefix)
    }
