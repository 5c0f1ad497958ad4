r"""Runs one cell: builds the model, trains it, and ranks all items."""

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam
from torch_geometric import seed_everything

from benchmarks.accuracy.cells import Cell
from benchmarks.accuracy.evaluation import Scorer, embedding_scorer, restrict
from benchmarks.accuracy.memory import PeakMemory
from benchmarks.accuracy.models import MODELS, TRAINING, Config
from benchmarks.accuracy.store import METRICS
from benchmarks.accuracy.task import Task, load_graph
from benchmarks.environment import describe_environment
from lgmrec_pyg.graph import INTERACTS, ITEM
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.training import History, fit

NOISY_DRAWS = 10
KEPT = ('Recall@20', 'NDCG@20')


class Source(NamedTuple):
    r"""Where the data is, and what rows call the machine."""

    data: str | None
    processed_dir: str
    machine: str | None = None


class Outcome(NamedTuple):
    r"""The columns of a row, and arrays with one entry a user."""

    row: dict[str, Any]
    users: dict[str, np.ndarray]


def run_cell(cell: Cell, source: Source) -> Outcome:
    r"""Runs a cell; a model that diverges is a result, with an error.

    Args:
        cell (Cell): The cell.
        source (Source): Where the data is.

    Raises:
        KeyboardInterrupt: If training was interrupted.
    """
    entry = MODELS[cell.model]
    options = {key: x for key, x in cell.config.items() if key not in TRAINING}
    training = {key: x for key, x in cell.config.items() if key in TRAINING}
    graph = load_graph(cell.dataset, source.data, source.processed_dir)
    transforms = training.pop('transforms', ())
    seed_everything(cell.seed)
    task = Task(cell.dataset, graph, transforms, cell.variant, cell.level, cell.seed)
    row: dict[str, Any] = describe_environment(torch.device('cpu'), source.machine)
    memory = PeakMemory()
    start = time.perf_counter()
    if not entry.learned:
        scorer = entry.build(task, **options)
        row['train_seconds'] = time.perf_counter() - start
        outcome = _judge(task, scorer, row)
    else:
        model, inputs = entry.build(task, **options)
        row['parameters'] = sum(p.numel() for p in model.parameters())
        try:
            history = _train(cell, task, model, inputs, training)
        except FloatingPointError as error:
            return Outcome(row | {'error': str(error)}, {})
        row |= _course(history)
        with torch.no_grad():
            scorer = embedding_scorer(*model.embed(*inputs))
        outcome = _judge(task, scorer, row)
        outcome.users['curve'] = np.array(
            [m['Recall@20'] for m in history.metrics], dtype=np.float32
        )
        if cell.variant == 'noisy evaluation':
            row['extra'] |= _redraw(task, model, inputs)
    row['peak_mib'] = memory.peak_mib()
    return outcome


def _train(
    cell: Cell, task: Task, model: Module, inputs: tuple[Any, ...], training: Config
) -> History:
    optimizer = Adam(
        model.parameters(),
        lr=training.get('lr', 1e-3),
        weight_decay=training.get('weight_decay', 0.0),
        fused=True,
    )
    history = fit(
        model,  # type: ignore[arg-type]
        inputs,
        task.sampler(training.get('batch_size', 2048)),
        task.val,
        epochs=cell.epochs,
        patience=cell.patience,
        optimizer=optimizer,
        progress=False,
    )
    if history.stopped_by == 'interrupt':
        raise KeyboardInterrupt
    return history


def _course(history: History) -> dict[str, Any]:
    return {
        'best_epoch': history.best_epoch,
        'epochs_run': history.epochs_run,
        'train_seconds': sum(history.train_seconds),
    }


def _judge(task: Task, scorer: Scorer, row: dict[str, Any]) -> Outcome:
    val = task.val.per_user(scorer)
    row |= {f'val_{name}': float(val[name].mean()) for name in KEPT}
    start = time.perf_counter()
    test = task.test.per_user(scorer)
    row['eval_seconds'] = time.perf_counter() - start
    row |= {name: float(test[name].mean()) for name in METRICS}
    row['users'] = task.test.users.numel()
    row['extra'] = {'groups': _groups(task, test['Recall@20'])}
    if 'cold' in task.data[ITEM]:
        row['extra']['cold'] = _cold(task, scorer)
    users = {'user': task.test.users.numpy().astype(np.int32)}
    users |= {name: test[name].numpy().astype(np.float32) for name in KEPT}
    return Outcome(row, users)


def _groups(task: Task, recall: Tensor) -> dict[str, list[float]]:
    r"""The number of users and their mean recall by group."""
    names = np.array(task.group_of_users(task.test.users))
    out = {}
    for name in sorted(set(names.tolist()), key=lambda x: int(x.split('-')[0])):
        member = torch.from_numpy(names == name)
        out[name] = [int(member.sum()), round(float(recall[member].mean()), 6)]
    return out


def _cold(task: Task, scorer: Scorer) -> dict[str, float]:
    r"""Recall of the items without training pairs, among all and each other."""
    labels = task.data[INTERACTS].cold_edge_label_index
    evaluator = task.evaluator(labels, task.train)
    among_cold = restrict(scorer, task.data[ITEM].cold)
    return {
        'users': evaluator.users.numel(),
        'items': int(task.data[ITEM].cold.sum()),
        'among all': float(evaluator.per_user(scorer)['Recall@20'].mean()),
        'among cold': float(evaluator.per_user(among_cold)['Recall@20'].mean()),
    }


@torch.no_grad()
def _redraw(task: Task, model: LGMRec, inputs: tuple[Any, ...]) -> dict[str, Any]:
    r"""Test recall of repeated noisy evaluations of the same weights, and of the
    deterministic one.
    """
    noisy = []
    for _ in range(NOISY_DRAWS):
        noisy.append(task.test(*model.embed(*inputs))['Recall@20'])
    model.hypergraph.membership.noisy_eval = False
    quiet = task.test(*model.embed(*inputs))['Recall@20']
    return {'noisy': [round(x, 6) for x in noisy], 'quiet': round(quiet, 6)}
