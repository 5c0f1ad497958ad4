import json
import os
import os.path as osp
from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer

from lgmrec_pyg.storage.tensors import load_metadata, load_tensors, save_tensors
from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.identity import other_entries
from lgmrec_pyg.training.optimizer_state import pack, restore_optimizer, unpack

FORMAT, VERSION = 'lgmrec_pyg.checkpoint', '3'


class Checkpoint:
    r"""The whole state of a training run between two epochs, in one file in the
    format of :obj:`safetensors`: weights, best weights, optimizer, random number
    generators, early stopping and history.

    The generators are those of PyTorch, on CPU and on CUDA devices, and
    :obj:`sampler.generator`; training uses no others.

    Args:
        path (str or os.PathLike): The path of the file.
        run (Dict[str, Any]): What identifies the run, see :meth:`identify_run`.
        model (torch.nn.Module): The model.
        optimizer (torch.optim.Optimizer): The optimizer.
        sampler (TripletSampler): The training batches of an epoch.
        stopper (EarlyStopping): The early stopping.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        run: dict[str, Any],
        model: Any,
        optimizer: Optimizer,
        sampler: Any,
        stopper: EarlyStopping,
    ) -> None:
        self.path = os.fspath(path)
        self.run = run
        self.model = model
        self.optimizer = optimizer
        self.sampler = sampler
        self.stopper = stopper

    def start(self, resume: bool) -> History:
        r"""Restores the state of the file if there is one, or saves the present
        one, since a folder that is not writable should not stop the first epoch
        at its end.

        Args:
            resume (bool): Whether to continue from the file.

        Raises:
            OSError: See :meth:`save`.
            ValueError: See :meth:`restore`.
        """
        if resume and osp.lexists(self.path):
            return self.restore()
        history = History()
        self.save(history)
        return history

    def save(self, history: History) -> None:
        r"""Replaces the file by the present state.

        Args:
            history (History): The course of the run so far.

        Raises:
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        """
        tensors = {f'model/{k}': x for k, x in self.model.state_dict().items()}
        for name, tensor in (self.stopper.best_state or {}).items():
            tensors[f'best/{name}'] = tensor
        for name, generator in self._generators():
            tensors[f'random/{name}'] = generator.get_state()
        metadata = {
            'run': self.run,
            'history': history.to_dict(),
            'optimizer': pack(self.optimizer.state_dict(), 'optimizer', tensors),
        }
        text = {key: json.dumps(value) for key, value in metadata.items()}
        save_tensors(tensors, self.path, {'format': FORMAT, 'version': VERSION} | text)

    def restore(self) -> History:
        r"""Restores the state of the file, and returns the course of the run up
        to it.

        Raises:
            ValueError: If the file is damaged, or belongs to another run.
        """
        metadata = load_metadata(self.path)
        kind = metadata.get('format'), metadata.get('version')
        if kind != (FORMAT, VERSION):
            raise ValueError(
                f"'{self.path}' needs to be a checkpoint of version {VERSION} (got "
                f'{kind}): remove it to start anew, or use another path'
            )
        tensors = load_tensors(self.path, checked=True)
        try:
            values = {
                key: json.loads(metadata[key])
                for key in ('run', 'history', 'optimizer')
            }
            different = other_entries(values['run'], self.run)
            if not different:
                return self._restore(values, tensors)
        except (
            AttributeError,
            LookupError,
            RecursionError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise ValueError(
                f"'{self.path}' is damaged ({error!s:.300}): remove it to start anew"
            ) from error
        raise ValueError(
            f"'{self.path}' needs to be a checkpoint of the same run (got another: "
            f'{"; ".join(different[:5])}). Remove it to start anew, or use another path'
        )

    def _restore(self, values: dict[str, Any], tensors: dict[str, Tensor]) -> History:
        history = History.from_dict(values['history'])
        state = self.model.state_dict()
        best = _with_prefix(tensors, 'best/')
        if {k: x.shape for k, x in best.items()} != (
            {k: x.shape for k, x in state.items()} if history.best_epoch > 0 else {}
        ):
            raise ValueError("the best weights are not those of 'model'")
        self.model.load_state_dict(_with_prefix(tensors, 'model/'))
        restore_optimizer(self.optimizer, unpack(values['optimizer'], tensors))
        if best:
            best = {name: x.to(state[name].device) for name, x in best.items()}
        self._restore_stopper(history, best)
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
        if best:
            self.stopper.best_state = best

    def _generators(self) -> Iterator[tuple[str, Generator]]:
        yield 'cpu', torch.default_generator
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            for i, generator in enumerate(torch.cuda.default_generators):
                yield f'cuda/{i}', generator
        own = getattr(self.sampler, 'generator', None)
        if isinstance(own, Generator):
            yield 'sampler', own


def check_path(path: str | os.PathLike[str] | None, every: int, resume: bool) -> None:
    r"""Checks the arguments of :meth:`fit` that concern checkpoints.

    Args:
        path (str or os.PathLike, optional): The path of the file.
        every (int): The number of epochs between checkpoints.
        resume (bool): Whether to continue from the file.

    Raises:
        FileExistsError: If the file would be lost.
        ValueError: If :obj:`every` is not positive, or if there is no path to
            resume from.
    """
    if every <= 0:
        raise ValueError(
            f"'checkpoint_every' needs to be a positive integer (got {every})"
        )
    if path is None and resume:
        raise ValueError("'resume' needs 'checkpoint', the path of a file (got None)")
    if path is not None and not resume and osp.lexists(path):
        raise FileExistsError(
            f"'{os.fspath(path)}' exists: pass 'resume=True' to continue from it, or "
            f'remove it to start anew'
        )


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
