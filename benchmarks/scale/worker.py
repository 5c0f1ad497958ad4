r"""One process of one measurement, which writes what it found as JSON."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch_geometric.data import HeteroData

from benchmarks.graphs import power_law_graph
from benchmarks.harness import synchronize
from benchmarks.resident import MIB, current_memory, peak_memory, reset_peak
from benchmarks.scale.traffic import Traffic
from lgmrec_pyg.graph import INTERACTS, describes, model_inputs, similar
from lgmrec_pyg.nn import RECOMMENDED, LGMRec
from lgmrec_pyg.sampling import SubgraphSampler, TripletSampler
from lgmrec_pyg.training import TrainingStep, keep_freed_memory
from lgmrec_pyg.training.optimizer import default_optimizer

FEATURES = {'text': 384, 'audio': 128}
WARM_UP = 2


def make_graph(num_edges: int, seed: int) -> HeteroData:
    r"""A graph of ten edges a user and fifty an item, with random features."""
    graph = power_law_graph(num_edges, num_edges // 10, num_edges // 50, seed=seed)
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = graph.size
    data[INTERACTS].edge_index = graph.edge_index
    item = torch.arange(graph.size[1])
    for name, width in FEATURES.items():
        data[name].x = torch.randn(len(item), width).div_(width**0.5)
        data[describes(name)].edge_index = torch.stack([item, item])
    return data


def add_similar_items(data: HeteroData) -> None:
    r"""Ten random items a modality: of random features, they are as good as any."""
    num_items = data['item'].num_nodes
    target = torch.arange(num_items, device=data[INTERACTS].edge_index.device)
    target = target.repeat_interleave(10)
    for name in FEATURES:
        source = torch.randint_like(target, num_items)
        data[similar(name)].edge_index = torch.stack([source, target])
        data[similar(name)].edge_weight = torch.ones(len(target)).to(target.device) / 10


def measure(task: dict[str, Any]) -> dict[str, float]:
    r"""Builds graph and model, and trains a part of an epoch."""
    torch.manual_seed(task['seed'])
    keep_freed_memory()
    with _processes(task) as (device, share):
        imported = current_memory(device)
        data = make_graph(task['edges'], task['seed']).to(device)
        settings = RECOMMENDED.model if task['recommended'] else {}
        if task['recommended']:
            add_similar_items(data)
        model: Any = LGMRec.from_data(data, **settings).to(device)
        sampler: Any = None
        if task['mode'] == 'sampled':
            sampler = SubgraphSampler(
                data, task['num_neighbors'], batch_size=task['batch_size']
            )
            inputs = sampler.inputs
        else:
            sampler = TripletSampler.from_data(data, batch_size=task['batch_size'])
            inputs = model_inputs(data)
        model, inputs = share(model, inputs)
        del data
        step = TrainingStep(model, inputs, default_optimizer(model, 1e-3))
        model.train()
        reset_peak(device)
        seconds, shuffled, sent = _time_steps(step, sampler, task, device)
    median = float(torch.tensor(seconds, dtype=torch.double).median())
    return {
        'steps': len(seconds),
        'epoch_steps': len(sampler),
        'step_ms': 1e3 * median,
        'epoch_s': shuffled + len(sampler) * median,
        'sent_mib': sent / MIB,
        'imported_mib': imported / MIB,
        'peak_mib': peak_memory(device) / MIB,
        'loss': task['loss'],
    }


def _time_steps(
    step: TrainingStep, sampler: Any, task: dict[str, Any], device: torch.device
) -> tuple[list[float], float, float]:
    r"""Seconds of every step and of shuffling an epoch, and bytes sent in a step.

    Sampling is part of a step. The first two steps do not count: for the first, memory
    and state are new, and the second one is watched.
    """
    seconds: list[float] = []
    batches: Iterator[Any] | None = None
    shuffled, traffic, number = 0.0, Traffic(task['processes']), WARM_UP
    while len(seconds) < number:
        start = time.perf_counter()
        batch = None if batches is None else next(batches, None)
        if batch is None:
            batches = iter(sampler)
            batch = next(batches)
            shuffled, start = time.perf_counter() - start, time.perf_counter()
        with traffic if len(seconds) == 1 else nullcontext():
            losses = step(*batch) if isinstance(batch, tuple) else step(batch)
        synchronize(device)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == WARM_UP:
            number += _number_of_steps(seconds[-1], len(sampler), task)
    task['loss'] = float(losses.total)
    return seconds[WARM_UP:], shuffled, traffic.sent


def _number_of_steps(seconds: float, epoch_steps: int, task: dict[str, Any]) -> int:
    number = min(int(task['budget'] / seconds), epoch_steps)
    agreed = torch.tensor(max(number, task['min_steps']))
    if task['processes'] > 1:  # All have to take the same.
        torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MAX)
    return int(agreed)


@contextmanager
def _processes(task: dict[str, Any]) -> Iterator[tuple[torch.device, Any]]:
    if task['processes'] == 1:
        yield torch.device(task['device']), lambda *whole: whole
        return
    from lgmrec_pyg.distributed import parallel, processes, shard

    with processes(task['device']) as (mesh, device), parallel(mesh, task['shard']):
        yield device, shard


if __name__ == '__main__':
    task = json.loads(sys.argv[1])
    if task['threads'] is not None:
        torch.set_num_threads(task['threads'])
    print(json.dumps(measure(task)))
