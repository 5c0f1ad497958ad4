r"""Trains several models on the built-in data, all the same way, and prints one table:
each with its published loss, and with the softmax over all items.
"""

import argparse
import time

import torch
from torch_geometric import seed_everything

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit

MODELS = ['LightGCN', 'VBPR', 'BM3', 'FREEDOM', 'LGMRec']

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--preset', default='small')
parser.add_argument('--models', nargs='+', default=MODELS)
parser.add_argument('--epochs', type=int, default=20)
parser.add_argument('--batch_size', type=int, default=1024)
args = parser.parse_args()

dataset = SyntheticMultimodal(args.preset)
published = nn.PUBLISHED | {'LGMRec': nn.PAPER['baby']}
validate = Evaluator.from_data(dataset[0], 'val')
test = Evaluator.from_data(dataset[0], 'test')

print(f'{"model":12} {"loss":10} Recall@20 NDCG@20 {"epoch":>6} ms/epoch')
for name in args.models:
    for loss in ('published', 'softmax'):
        seed_everything(0)
        preset, changes = published[name], {}
        if loss == 'softmax':
            changes = {'ranking_loss': 'softmax'}
            preset = nn.RECOMMENDED if name == 'LGMRec' else preset
        data = preset.transform(dataset[0])  # Adds similar items if needed.
        inputs = model_inputs(data)
        model = getattr(nn, name).from_data(data, **preset.model | changes)
        sampler = TripletSampler.from_data(data, batch_size=args.batch_size)
        start = time.perf_counter()
        history = fit(
            model,
            inputs,
            sampler,
            validate,
            epochs=args.epochs,
            eval_every=5,
            lr=max(preset.lr, 5e-3),
            progress=False,
        )
        seconds = (time.perf_counter() - start) / history.epochs_run
        with torch.no_grad():
            metrics = test(*model.embed(*inputs))
        print(
            f'{name:12} {loss:10} {metrics["Recall@20"]:9.4f} '
            f'{metrics["NDCG@20"]:7.4f} {history.best_epoch:6} {1000 * seconds:8.0f}'
        )
