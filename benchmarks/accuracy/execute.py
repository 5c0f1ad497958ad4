r"""Runs models: builds them, trains them, and ranks all items."""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam
from torch_geometric import seed_everything
from tqdm import tqdm

from benchmarks.accuracy.cold import by_weight, judge_cold
from benchmarks.accuracy.judge import Scorer, embedding_scorer, found, groups, rank
from benchmarks.accuracy.models import MODELS, Config
from benchmarks.accuracy.results import METRIC
from benchmarks.accuracy.runs import KEPT, METRICS, Run, save_run
from benchmarks.accuracy.task import Source, Task
from benchmarks.environment import describe_environment
from benchmarks.resident import MIB, current_memory, peak_memory, reset_peak
from lgmrec_pyg.graph import INTERACTS, ITEM, modalities
from lgmrec_pyg.training import History, fit, keep_freed_memory

CPU = torch.device('cpu')
NOISY_DRAWS = 10


class Outcome(NamedTuple):
    r"""The columns of a row, and arrays with one entry a user."""

    row: dict[str, Any]
    users: dict[str, np.ndarray]


def run_all(
    runs: Sequence[Run],
    source: Source,
    folder: str,
    machine: str | None = None,
    pool: Executor | None = None,
) -> list[str]:
    r"""Runs all, in this process or in a pool of others, and writes each to a folder
    when it is finished. One that fails does not stop the others, and is left for the
    next command; returns what failed.
    """
    call = partial(_run, source=source, folder=folder, machine=machine)
    failures = []
    for run, result in tqdm(_results(runs, call, pool), total=len(runs), unit='run'):
        try:
            tqdm.write(result(), file=sys.stderr)
        except Exception as error:  # Whatever it is, others can run.
            failures.append(f'{run} {run.config}: {type(error).__name__}, {error}')
    return failures


def _results(
    runs: Sequence[Run], call: Callable[[Run], str], pool: Executor | None
) -> Iterator[tuple[Run, Callable[[], str]]]:
    if pool is None:
        yield from ((run, partial(call, run)) for run in runs)
    else:
        futures = {pool.submit(call, run): run for run in runs}
        try:
            yield from ((futures[x], x.result) for x in as_completed(futures))
        finally:
            for future in futures:
                future.cancel()


def _run(run: Run, source: Source, folder: str, machine: str | None) -> str:
    row, users = execute(run, source)
    row |= describe_environment(CPU, machine)
    row = save_run(folder, run, row, users)
    if 'error' in row:
        return f'{run}: {row["error"]}'
    line = f'{run}: {METRIC} {row[METRIC]:.4f} (validation {row["val_Recall@20"]:.4f})'
    if 'best_epoch' in row:
        line += f', best epoch {row["best_epoch"]} of {row["epochs_run"]}'
    return f'{line}, {row["train_seconds"]:.1f} s'


def execute(run: Run, source: Source) -> Outcome:
    r"""Runs a model; that it diverges is a result, with an error."""
    entry, config = MODELS[run.model], dict(run.config)
    graph = source.load(run.dataset)
    seed_everything(run.seed)
    task = Task(graph, config.get('transforms', ()), run.variant, run.level, run.seed)
    start = _start_memory()
    if entry.learned:
        outcome = _learn(run, task)
    else:
        config.pop('transforms', None)
        clock = time.perf_counter()
        scorer = entry.build(task, **config)
        seconds = time.perf_counter() - clock
        outcome = _judge(task, scorer)
        outcome.row['train_seconds'] = seconds
    if start is not None:
        outcome.row['peak_mib'] = (peak_memory(CPU) - start) / MIB
    return outcome


def _learn(run: Run, task: Task) -> Outcome:
    entry = MODELS[run.model]
    model = entry.model(task.data, run.config)
    parameters = sum(p.numel() for p in model.parameters())
    try:
        history = _train(run, task, model)
    except FloatingPointError as error:
        return Outcome({'parameters': parameters, 'error': str(error)}, {})
    with torch.no_grad():
        user_emb, item_emb = model.embed(*task.inputs)
        outcome = _judge(task, embedding_scorer(user_emb, item_emb))
    outcome.row.update(
        parameters=parameters,
        best_epoch=history.best_epoch,
        epochs_run=history.epochs_run,
        train_seconds=sum(history.train_seconds),
    )
    curve = [metrics[METRIC] for metrics in history.metrics]
    outcome.users['curve'] = np.array(curve, dtype=np.float32)
    extra = outcome.row['extra']
    if entry.featured and 'cold' in task.data[ITEM]:
        extra['cold by weight'] = by_weight(task, user_emb, item_emb)
    if entry.featured:
        rng = torch.Generator().manual_seed(0)
        extra['permuted'] = {'unchanged': outcome.row[METRIC]} | {
            name: _recall(task, model, task.permuted(name, rng))
            for name in modalities(task.data)
        }
    if run.variant == 'noisy evaluation':
        extra['noisy'] = [_recall(task, model, task.inputs) for _ in range(NOISY_DRAWS)]
        model.hypergraph.membership.noisy_eval = False
        extra['quiet'] = _recall(task, model, task.inputs)
    return outcome


def _train(run: Run, task: Task, model: Any) -> History:
    keep_freed_memory()
    config: Config = run.config
    optimizer = Adam(
        model.parameters(),
        lr=config.get('lr', 1e-3),
        weight_decay=config.get('weight_decay', 0.0),
        fused=True,
    )
    history = fit(
        model,
        task.inputs,
        task.sampler(config.get('batch_size', 2048)),
        task.val,
        epochs=run.epochs,
        patience=run.patience,
        optimizer=optimizer,
        progress=False,
    )
    if history.stopped_by == 'interrupt':
        raise KeyboardInterrupt
    return history


def _judge(task: Task, scorer: Scorer) -> Outcome:
    val = task.val.of_ranking(rank(task.val, scorer))
    row: dict[str, Any] = {f'val_{name}': float(val[name].mean()) for name in KEPT}
    start = time.perf_counter()
    ranking = rank(task.test, scorer)
    test = task.test.of_ranking(ranking)
    row['eval_seconds'] = time.perf_counter() - start
    row |= {name: float(test[name].mean()) for name in METRICS}
    row['users'] = task.test.users.numel()
    row['extra'] = _diagnose(task, ranking, test[METRIC])
    if 'cold' in task.data[ITEM]:
        row['extra']['cold'] = judge_cold(task, scorer)
    users = {'user': task.test.users.numpy().astype(np.int32)}
    users |= {name: test[name].numpy().astype(np.float32) for name in KEPT}
    return Outcome(row, users)


def _diagnose(task: Task, ranking: Tensor, recall: Tensor) -> dict[str, Any]:
    r"""Recall by the training pairs of users and items, and the share of items that
    anyone is recommended.
    """
    activity, popularity = (
        torch.bincount(pairs, minlength=size)
        for pairs, size in zip(
            task.known, (task.num_users, task.num_items), strict=True
        )
    )
    pairs = task.data[INTERACTS].test_edge_label_index
    pairs = pairs[:, torch.isin(pairs[0], task.test.users)]
    hit = found(task.test, ranking, pairs)
    return {
        'activity': groups(activity[task.test.users], recall),
        'popularity': groups(popularity[pairs[1]], hit),
        'coverage': {'items': ranking[ranking >= 0].unique().numel() / task.num_items},
    }


def _recall(task: Task, model: Any, inputs: tuple[Any, ...]) -> float:
    with torch.no_grad():
        return task.test(*model.embed(*inputs))[METRIC]


def _start_memory() -> int | None:
    r"""Starts a new peak of the resident memory, where the system tells."""
    try:
        # Else the run would start in what earlier ones have left behind.
        ctypes.CDLL(None).malloc_trim(0)
        reset_peak(CPU)
        return current_memory(CPU)
    except (OSError, AttributeError, TypeError):
        return None
