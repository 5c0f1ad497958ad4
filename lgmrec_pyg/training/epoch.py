import sys
import time
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from tqdm import tqdm

from lgmrec_pyg.training.early_stopping import EarlyStopping
from lgmrec_pyg.training.history import History
from lgmrec_pyg.training.step import TrainingStep

Batches = Iterable[tuple[Tensor, Tensor, Tensor] | HeteroData]
Validate = Callable[[Tensor, Tensor], dict[str, float]]


def train_epoch(
    step: TrainingStep, sampler: Batches, history: History, progress: bool
) -> None:
    r"""Trains for one epoch, and adds it to the course of the run."""
    start = time.perf_counter()
    step.model.train()
    bar = progress_bar(sampler, disable=None if progress else True, leave=False)
    losses = [
        step(*batch) if isinstance(batch, (tuple, list)) else step(batch)
        for batch in bar
    ]
    history.losses.append(_mean(losses, history.epochs_run + 1))
    history.train_seconds.append(time.perf_counter() - start)


@torch.no_grad()
def evaluate_epoch(
    model: Any,
    inputs: Sequence[Any],
    validate: Validate,
    monitor: str,
    history: History,
    stopper: EarlyStopping,
) -> None:
    r"""Evaluates the last epoch, and adds the result to the course of the run."""
    start = time.perf_counter()
    model.eval()
    metrics = validate(*model.embed(*inputs))
    check_monitor(monitor, metrics)
    metrics = {name: float(value) for name, value in metrics.items()}
    if stopper.update(metrics[monitor], model.state_dict()):
        history.best_epoch = history.epochs_run
    history.eval_epochs.append(history.epochs_run)
    history.metrics.append(metrics)
    history.eval_seconds.append(time.perf_counter() - start)


def check_monitor(monitor: str, names: Iterable[str]) -> None:
    if monitor not in names:
        raise ValueError(
            f"'monitor' needs to be one of {list(names)} (got '{monitor}')"
        )


def progress_bar(iterable: Iterable[Any], **kwargs: Any) -> tqdm:
    r"""Moves in a terminal, and adds a line now and then to a log file."""
    mininterval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(iterable, mininterval=mininterval, **kwargs)


def _mean(losses: list[Any], epoch: int) -> dict[str, float]:
    if not losses:
        raise ValueError(
            f"'sampler' needs to yield batches (got none in epoch {epoch})"
        )
    names = losses[0]._fields
    # The only wait for the device in an epoch.
    values = torch.stack([torch.stack(terms) for terms in losses]).double().cpu()
    bad = (~values.isfinite()).nonzero()
    if bad.numel() > 0:
        step = int(bad[0, 0])
        terms = zip(names, values[step].tolist(), strict=True)
        wrong = [f"'{k}' = {x}" for k, x in terms if not (k == 'total' or isfinite(x))]
        raise FloatingPointError(
            f'The loss is not finite in epoch {epoch}, step {step + 1} of '
            f'{len(losses)} ({", ".join(wrong) or "the total alone"}). Use a smaller '
            f'learning rate, or check the scale of the features'
        )
    return dict(zip(names, values.mean(dim=0).tolist(), strict=True))
