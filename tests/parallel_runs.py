r"""Trains in one process and in several, run by the tests as a program.

Processes are forked, so that everything is imported once.
"""

import json
import os
import shutil
import socket
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from lgmrec_pyg import nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.distributed import (
    ShardedEvaluator,
    own_recommender,
    parallel,
    shard,
    unshard,
)
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import PUBLISHED, RECOMMENDED, HypergraphContrast, LGMRec, LightGCN
from lgmrec_pyg.nn.models import lgmrec
from lgmrec_pyg.sampling import SubgraphSampler, TripletSampler
from lgmrec_pyg.storage import save_tensors
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import SimilarItems, StandardizeFeatures

SHARED = ('batch', 'columns', 'rows')
SMALL = {'embedding_dim': 8, 'contrast_weight': 1e-3, 'reg_weight': 1e-2}
MODELS = {
    'paper': (LGMRec, SMALL, {}, SHARED),
    'many hyperedges': (LGMRec, SMALL | {'num_hyperedges': 16}, {}, SHARED),
    'recommended': (LGMRec, SMALL | RECOMMENDED.model, {}, SHARED),
    'similar': (
        LGMRec,
        SMALL | {'fusion': 'concat', 'similar_weight': 0.5},
        {},
        SHARED,
    ),
    'new items': (
        LGMRec,
        SMALL | RECOMMENDED.model | {'new_item_rate': 0.3},
        {},
        SHARED,
    ),
    'options': (
        LGMRec,
        SMALL
        | {
            'num_hyperedges': 6,
            'normalize_hypergraph': True,
            'num_hypergraph_layers': 2,
            'user_logits': 'mean',
            'noise': 'logistic',
            'contrast_weight': 0.1,
            'contrast': HypergraphContrast(0.3, 'mean', symmetric=True),
        },
        {'max_grad_norm': 0.05},
        SHARED,
    ),
    'no modality': (LGMRec, SMALL | {'parts': ['collaborative']}, {}, SHARED),
    'sampled': (LGMRec, SMALL, {'max_grad_norm': 0.05}, ('columns',)),
    'sampled softmax': (LGMRec, SMALL | RECOMMENDED.model, {}, ('columns',)),
    'sampled alike': (LGMRec, SMALL, {'max_grad_norm': 0.05}, ('batch',)),
    # With all neighbors and without a sum over samples, nothing is left to chance.
    'all neighbors': (
        LGMRec,
        SMALL | {'parts': ['collaborative', 'modality']},
        {},
        ('batch',),
    ),
    'LightGCN': (LightGCN, {'embedding_dim': 8, 'reg_weight': 0.1}, {}, SHARED),
    'MGCN': (nn.MGCN, {'embedding_dim': 8, 'contrast_weight': 0.1}, {}, ('batch',)),
}
MODELS |= {
    name: (getattr(nn, name), preset.model, {}, ('batch',))
    for name, preset in PUBLISHED.items()
    if name not in MODELS and getattr(nn, name).shared_by
}
CASES = [
    (name, by, size)
    for name in MODELS
    for by in MODELS[name][3]
    for size in (2, 4)
    if size == 2 or name == 'paper'
]

# Shared by what, continued by what and in how many processes.
RESUMED = [
    ('paper', 'batch', 'columns', 1),
    ('paper', 'columns', 'columns', 4),
    ('paper', 'rows', 'rows', 3),
    ('sampled', 'batch', 'batch', 2),
]


class Alike:
    r"""Draws the same parts of the graph in every process, as loaders would."""

    def __init__(self, sampler):
        self.sampler = sampler

    def __len__(self):
        return len(self.sampler)

    def __iter__(self):
        for triplet in self.sampler.triplets:
            yield self.sampler.sample(*triplet)


def build(name):
    torch.manual_seed(5)
    data = StandardizeFeatures()(SyntheticMultimodal('tiny')[0])
    model_class, arguments, _, _ = MODELS[name]
    if name in PUBLISHED:
        data = PUBLISHED[name].transform(data)
    elif 'similar_weight' in arguments:
        data = SimilarItems(k=10)(data)
    model = model_class.from_data(data, **arguments)
    size = TripletSampler.from_data(data).user.numel()
    # The last batch is of fewer triplets than there are processes.
    size = next(x for x in range(400, 4, -1) if 0 < size % x < 4)
    kwargs = {'batch_size': size, 'generator': torch.Generator().manual_seed(7)}
    if name.startswith('sampled'):
        sampler = SubgraphSampler(data, [4, 3, 2], **kwargs)
        sampler = Alike(sampler) if name == 'sampled alike' else sampler
    elif name == 'all neighbors':
        sampler = SubgraphSampler(data, [1000, 1000, 1000])
        sampler.triplets = TripletSampler.from_data(data, **kwargs)
    else:
        sampler = TripletSampler.from_data(data, **kwargs)
    torch.manual_seed(11)
    return model, data, sampler, Evaluator.from_data(data, 'val')


def options(name):
    return {'epochs': 2, 'lr': 0.01, 'progress': False} | MODELS[name][2]


def train_alone(name, folder):
    model, data, sampler, evaluator = build(name)
    history = fit(model, model_inputs(data), sampler, evaluator, **options(name))
    save(folder, name, model.state_dict(), history)


def train_together(name, by, mesh, folder, label=None, **kwargs):
    model, data, sampler, evaluator = build(name)
    with parallel(mesh, by) as here:
        own, own_inputs = shard(model, model_inputs(data))
        evaluator = ShardedEvaluator(evaluator, here)
        history = fit(own, own_inputs, sampler, evaluator, **options(name) | kwargs)
        whole = unshard(own)
        sizes = [
            sum(x.numel() for name, x in m.state_dict().items() if '_embedding' in name)
            for m in (own, model)
        ]
        label = f'{name} {by} {here.size}' if label is None else label
        if name == 'recommended':
            emb = own.embed(*own_inputs)
            recommender = own_recommender(*emb, data, here)
            recommender.save(folder / f'{label} {here.rank}.emb')
    save(folder, f'{label} {here.rank}', whole, history, sizes)


def save(folder, name, weights, history, sizes=()):
    save_tensors(weights, folder / f'{name}.safetensors')
    record = history.to_dict() | {'sizes': sizes}
    (folder / f'{name}.json').write_text(json.dumps(record))


def in_processes(size, run):
    r"""Runs a function of a mesh in some forked processes."""
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        port = found.getsockname()[1]
    pids = []
    for rank in range(size):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                dist.init_process_group(
                    'gloo',
                    f'tcp://127.0.0.1:{port}',
                    rank=rank,
                    world_size=size,
                    timeout=timedelta(seconds=120),
                )
                run(dist.init_device_mesh('cpu', (size,)))
                dist.destroy_process_group()
                status = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(status)
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert not any(codes), codes


def resume(name, by, other, size, folder):
    r"""Continues a run of two processes in as many, and in others."""

    def run(mesh, label, shared=by, **kwargs):
        label = f'{label} {name} {by}'
        train_together(name, shared, mesh, folder, label, **kwargs)

    path = folder / f'{name} {by}.safetensors'
    copy = folder / f'{name} {by} copy.safetensors'
    given = {'checkpoint': path, 'resume': True}
    in_processes(2, lambda mesh: run(mesh, 'whole', epochs=4))
    in_processes(2, lambda mesh: run(mesh, 'half', **given))
    shutil.copy(path, copy)
    shutil.copytree(f'{path}.shards', f'{copy}.shards')
    in_processes(2, lambda mesh: run(mesh, 'resumed', epochs=4, **given))
    given['checkpoint'] = copy
    in_processes(size, lambda mesh: run(mesh, 'other', other, epochs=4, **given))


def main(folder):
    torch.set_num_threads(1)
    lgmrec.CHUNK_ROWS = 30  # Embeds these few users in chunks as well.
    if sys.argv[2:] == ['resume']:
        for arguments in RESUMED:
            resume(*arguments, folder)
        return
    names = sys.argv[2:] or MODELS

    def run(mesh):
        for name, by, size in CASES:
            if name in names and size == mesh.size():
                train_together(name, by, mesh, folder)

    for name in names:
        train_alone(name, folder)
    for size in (2, 4):
        in_processes(size, run)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
