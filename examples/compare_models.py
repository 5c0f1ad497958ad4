r"""Trains several models on the built-in data, all the same way, and prints one table:
each with its published loss, and with the softmax over all items. LGMRec has another
row, for the settings to start with.
"""

import argparse
import time

import torch
import torch_geometric.transforms as T
from torch_geometric import seed_everything

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import StandardizeFeatures

MODELS = ['LightGCN', 'VBPR', 'BM3', 'FREEDOM', 'LGMRec']

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--preset', default='small')
parser.add_argument(
    '--models', nargs='+', choices=[*nn.PUBLISHED, 'LGMRec'], default=MODELS
)
parser.add_argument('--epochs', type=int, default=20)
parser.add_argument('--batch-size', type=int, default=1024)
args = parser.parse_args()

dataset = SyntheticMultimodal(args.preset)
validate = Evaluator.from_data(dataset[0], 'val')
test = Evaluator.from_data(dataset[0], 'test')


def settings_of(name: str) -> dict[str, nn.Preset]:
    r"""The settings that a model is trained with."""
    preset = nn.PAPER['baby'] if name == 'LGMRec' else nn.PUBLISHED[name]
    # Not every model standardizes features, or adds similar items.
    transform = T.Compose([StandardizeFeatures(), preset.transform])
    published = preset._replace(transform=transform, lr=max(preset.lr, 5e-3))
    softmax = published._replace(model=preset.model | {'ranking_loss': 'softmax'})
    out = {'published': published, 'softmax': softmax}
    return out | ({'recommended': nn.RECOMMENDED} if name == 'LGMRec' else {})


print(f'{"model":12} {"settings":12} Recall@20 NDCG@20 {"epoch":>6} ms/epoch')
for name in args.models:
    for settings, preset in settings_of(name).items():
        seed_everything(0)
        data = preset.transform(dataset[0])
        inputs = model_inputs(data)
        model = getattr(nn, name).from_data(data, **preset.model)
        sampler = TripletSampler.from_data(data, batch_size=args.batch_size)
        start = time.perf_counter()
        history = fit(
            model,
            inputs,
            sampler,
            validate,
            epochs=args.epochs,
            eval_every=5,
            lr=preset.lr,
            progress=False,
        )
        seconds = (time.perf_counter() - start) / history.epochs_run
        with torch.no_grad():
            metrics = test(*model.embed(*inputs))
        print(
            f'{name:12} {settings:12} {metrics["Recall@20"]:9.4f} '
            f'{metrics["NDCG@20"]:7.4f} {history.best_epoch:6} {1000 * seconds:8.0f}'
        )
