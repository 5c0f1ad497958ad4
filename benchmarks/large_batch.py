r"""Larger batches, and the learning rate that goes with them.

    python -m benchmarks.large_batch --quick
    python -m benchmarks.large_batch --data DIR/NAME --standardize

Fewer, larger steps an epoch cost less where every step propagates over the whole
graph. The learning rate grows with the batch: not at all, by the square root of its
factor, or by the factor. The contrast, a sum over the batch, keeps its share of the
loss. Each is given the same number of epochs: Recall@20 of the test pairs.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from torch_geometric import seed_everything
from torch_geometric.data import HeteroData

from benchmarks.cold_start import load
from benchmarks.report import Report, suite_parser
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import PAPER, RECOMMENDED, LGMRec, Preset
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import StandardizeFeatures

BASE = 2048
RULES = {'constant': 0.0, 'root': 0.5, 'linear': 1.0}


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('large_batch', __doc__, compares=False)
    parser.add_argument('--data', metavar='DIR/NAME', help='(default: synthetic)')
    parser.add_argument('--modalities', nargs='*', help='(default: all)')
    parser.add_argument('--standardize', action='store_true')
    parser.add_argument('--recommended', action='store_true', help='the preset')
    parser.add_argument('--factors', type=int, nargs='+', default=[1, 4, 16])
    parser.add_argument('--rules', nargs='+', choices=list(RULES), default=list(RULES))
    parser.add_argument('--epochs', type=int, help='(default: 100; quick: 4)')
    parser.add_argument('--patience', type=int, default=10)
    args = parser.parse_args(argv)
    args.epochs = args.epochs or (4 if args.quick else 100)
    data, name = load(args)
    preset: Preset = RECOMMENDED if args.recommended else PAPER['baby']
    if args.recommended:  # Which standardizes.
        data = preset.transform(data)
    elif args.standardize or args.data is None:
        data = StandardizeFeatures()(data)
    with Report('large_batch', args) as report:
        for factor in args.factors:
            for rule in args.rules if factor > 1 else args.rules[:1]:
                row = train(data, preset, factor, rule, args)
                report.add({'data': name, 'seed': args.seed, **row})
                print(', '.join(f'{key} {value}' for key, value in row.items()))


def train(
    data: HeteroData, preset: Preset, factor: int, rule: str, args: argparse.Namespace
) -> dict[str, object]:
    r"""Trains with a batch that is so many times as large."""
    settings = dict(preset.model)
    weight = settings.get('contrast_weight', 1e-4)
    settings['contrast_weight'] = weight / factor
    seed_everything(args.seed)
    model = LGMRec.from_data(data, **settings).to(args.device)
    data = data.to(args.device)
    start = time.perf_counter()
    history = fit(
        model,
        data,
        TripletSampler.from_data(data, batch_size=factor * BASE),
        epochs=args.epochs,
        patience=args.patience,
        lr=preset.lr * factor ** RULES[rule],
        progress=False,
    )
    seconds = time.perf_counter() - start
    with torch.no_grad():
        embeddings = model.embed(*model_inputs(data))
    recall = Evaluator.from_data(data, 'test')(*embeddings)
    return {
        'candidate': rule,
        'batch': factor * BASE,
        'epochs': history.epochs_run,
        'best_epoch': history.best_epoch,
        'seconds_per_epoch': sum(history.train_seconds) / history.epochs_run,
        'seconds': seconds,
        'recall': recall['Recall@20'],
    }


if __name__ == '__main__':
    main()
