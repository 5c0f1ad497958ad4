r"""What sampled training is worth, against training on whole graphs.

    python -m benchmarks.sampled --quick
    python -m benchmarks.sampled --data DIR --datasets lfm2k beauty --threads 2

Trains LGMRec with the loss of the paper and with the recommended preset, on the whole
graph and on sampled parts of it, with the same settings, batches and seeds: Recall@20
on the test pairs, for the best weights on the validation pairs.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import torch
from torch_geometric import seed_everything
from torch_geometric.data import HeteroData

from benchmarks.accuracy.task import Source
from benchmarks.graphs import data_folder
from benchmarks.report import Report, suite_parser
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import PAPER, RECOMMENDED, LGMRec
from lgmrec_pyg.sampling import SubgraphSampler, TripletSampler
from lgmrec_pyg.training import fit, keep_freed_memory
from lgmrec_pyg.transforms import StandardizeFeatures

PRESETS = {'paper': PAPER['baby'], 'recommended': RECOMMENDED}
TRANSFORMS = {'paper': StandardizeFeatures(), 'recommended': RECOMMENDED.transform}
MODES = ('whole', 'sampled')
RECALL = 'Recall@20'


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('sampled', __doc__, compares=False)
    add = parser.add_argument
    add('--data', metavar='DIR', help='the folder of real data (default: synthetic)')
    add('--datasets', nargs='+', metavar='NAME', help='(default: lfm2k beauty)')
    add('--presets', nargs='+', choices=list(PRESETS), default=list(PRESETS))
    add('--modes', nargs='+', choices=MODES, default=list(MODES))
    add('--seeds', type=int, default=3, help='how many, from --seed on')
    add('--epochs', type=int, help='(default: 200; quick: 3)')
    add('--patience', type=int, default=20)
    add('--batch-size', type=int, default=2048)
    add('--num-neighbors', type=int, nargs='+', default=[20, 10, 5])
    args = parser.parse_args(argv)
    args.epochs = args.epochs or (3 if args.quick else 200)
    folder = data_folder(args.data)
    if args.datasets and not folder:
        parser.error("'--datasets' needs '--data', the folder of real data")
    known = ['lfm2k', 'beauty'] if folder else ['synthetic-tiny']
    datasets = args.datasets or known
    source = Source({x: f'{folder}/{x}' for x in datasets if folder}, args.output)
    keep_freed_memory()
    with Report('sampled', args) as report:
        for dataset in datasets:
            data = source.load(dataset)
            for preset in args.presets:
                recall: dict[str, list[float]] = {}
                graph = TRANSFORMS[preset](data)
                for seed in range(args.seed, args.seed + args.seeds):
                    for mode in args.modes:
                        row = train(graph, preset, mode, seed, args)
                        case = {'dataset': dataset, 'preset': preset, 'mode': mode}
                        report.add({**case, 'seed': seed, **row})
                        recall.setdefault(mode, []).append(row[RECALL])
                        print(*case.values(), seed, row, flush=True)
                means = {mode: statistics.mean(x) for mode, x in recall.items()}
                print(f'{dataset}, {preset}: means of {args.seeds} seeds, {means}')
                if set(MODES) <= set(means):
                    share = means['sampled'] / means['whole']
                    print(f'{dataset}, {preset}: sampled {share:.1%} of whole')


def train(
    data: HeteroData, preset: str, mode: str, seed: int, args: argparse.Namespace
) -> dict[str, Any]:
    r"""Trains a model, and tests its best weights."""
    seed_everything(seed)
    data = data.to(args.device)
    model = LGMRec.from_data(data, **PRESETS[preset].model).to(args.device)
    sampler: Any = TripletSampler.from_data(data, batch_size=args.batch_size)
    hops: list[int] = []
    if mode == 'sampled':  # As many as the model needs.
        hops = args.num_neighbors[: model.num_hops]
        sampler = SubgraphSampler(data, hops, args.batch_size)
    history = fit(
        model,
        data,
        sampler,
        lr=PRESETS[preset].lr,
        epochs=args.epochs,
        patience=args.patience,
        progress=False,
    )
    with torch.no_grad():
        metrics = Evaluator.from_data(data)(*model.embed(*model_inputs(data)))
    return {
        'num_neighbors': ' '.join(map(str, hops)),
        RECALL: metrics[RECALL],
        f'val_{RECALL}': history.best_metrics[RECALL],
        'best_epoch': history.best_epoch,
        'epochs_run': history.epochs_run,
        'epoch_seconds': statistics.median(history.train_seconds),
    }


if __name__ == '__main__':
    main()
