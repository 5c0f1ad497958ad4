r"""Trains LGMRec, evaluates it by full ranking, and reports it.

The default run needs no files. `--data baby` downloads and converts Amazon Baby to
`data/`, which needs `pip install sentence-transformers`, or reads ready-made files
`baby/baby.inter` and `baby/{image,text}_feat.npy` placed there.
"""

import argparse
import os.path as osp
import time
from typing import Any

import torch
from torch_geometric import seed_everything
from torch_geometric.data import HeteroData, InMemoryDataset

from lgmrec_pyg.datasets import (
    AmazonMultimodal,
    DownloadError,
    MultimodalDataset,
    SyntheticMultimodal,
)
from lgmrec_pyg.datasets.synthetic import PRESETS
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, modalities, model_inputs
from lgmrec_pyg.nn import PAPER, RECOMMENDED, LGMRec
from lgmrec_pyg.reporting import (
    PUBLISHED,
    Run,
    plot_learning_curves,
    report,
    results_table,
    run_record,
    save_json,
)
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import save_model
from lgmrec_pyg.training import History, fit, keep_freed_memory
from lgmrec_pyg.transforms import SimilarItems, StandardizeFeatures


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        '--data',
        default='synthetic',
        help='synthetic, baby, sports, clothing, or the path of a folder',
    )
    add('--root', default='data', help='where the folders of baby etc. are')
    add('--processed-dir', help='where to keep the processed data (default: OUTPUT)')
    add(
        '--preset',
        default='small',
        choices=list(PRESETS),
        help='size of the synthetic data',
    )
    add('--modalities', nargs='*', help='the modalities to use, in this order')
    add(
        '--standardize',
        action=argparse.BooleanOptionalAction,
        help='standardize the features (default: only for synthetic data)',
    )
    add('--precision', default='float32', choices=['float32', 'bfloat16'])
    for name, value in PAPER['baby'].model.items():
        add(
            f'--{name.replace("_", "-")}',
            type=type(value),
            help='(default: as in the paper)',
        )
    add('--embedding-dim', type=int, default=64)
    add('--temperature', type=float, default=0.2)
    add('--batch-size', type=int, default=2048)
    add('--lr', type=float, help='(default: 1e-3, or 5e-3 if --recommended)')
    add(
        '--recommended',
        action='store_true',
        help='the settings to start with rather than those of the paper: a softmax '
        'over all items, and similar items',
    )
    add('--epochs', type=int, default=1000)
    add('--patience', type=int, default=20)
    add('--seed', type=int, default=0)
    add('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    add('--progress', action=argparse.BooleanOptionalAction, default=True)
    add('--output', default='output', help='folder for the learning curves')
    add('--json', help='file for the record of the run')
    add('--report', help='HTML file for a page about the run')
    add('--checkpoint', help='file to keep the state of the run in')
    add(
        '--resume',
        action='store_true',
        help='continue from --checkpoint, if there is one, to the same result',
    )
    add('--save', help='folder for the trained model')
    return parser


def parse_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    args = parser.parse_args()
    if args.resume and args.checkpoint is None:
        parser.error('--resume needs --checkpoint, the path of a file')
    if args.checkpoint and not args.resume and osp.lexists(args.checkpoint):
        parser.error(
            f"'{args.checkpoint}' exists: pass --resume to continue from it, or remove "
            f'it to start anew'
        )
    return args


def load(args: argparse.Namespace) -> HeteroData:
    dataset: InMemoryDataset
    processed_dir = args.processed_dir or osp.join(args.output, 'processed')
    if args.data == 'synthetic':
        dataset = SyntheticMultimodal(args.preset)
    elif args.data in PAPER:
        names = ('image', 'text') if args.modalities is None else args.modalities
        dataset = AmazonMultimodal(
            args.root, args.data, names, processed_dir=processed_dir
        )
    else:
        dataset = MultimodalDataset.from_folder(
            args.data, modalities=args.modalities, processed_dir=processed_dir
        )
    return dataset[0]


def prepare(args: argparse.Namespace) -> HeteroData:
    r"""Loads the data, and fills in the arguments that depend on it."""
    try:
        data = load(args)
    except (FileNotFoundError, ImportError, DownloadError) as error:
        raise SystemExit(str(error)) from None
    if args.modalities is None:
        args.modalities = modalities(data)
    if not set(args.modalities) <= set(modalities(data)):
        raise SystemExit(
            f"'--modalities' needs to be from {modalities(data)} (got "
            f'{args.modalities})'
        )
    args.name = osp.basename(osp.abspath(args.data))
    if args.standardize is None:
        args.standardize = args.name == 'synthetic' or args.recommended
    if args.standardize:
        data = StandardizeFeatures()(data)
    if args.recommended:
        data = SimilarItems(k=10)(data)
    for modality in args.modalities:
        norm = float(data[modality].x.norm(dim=1).median())
        if norm > 10:
            print(
                f"The '{modality}' features are long (median row norm {norm:.1f}), "
                f'which drives memberships to one-hot. Consider --standardize.'
            )
        data[modality].x = data[modality].x.to(getattr(torch, args.precision))
    # Data other than those of the paper use its settings of Baby.
    paper = PAPER.get(args.name, PAPER['baby'])
    for key, value in paper.model.items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    if args.lr is None:
        args.lr = (RECOMMENDED if args.recommended else paper).lr
    return data


def build_model(args: argparse.Namespace, data: HeteroData) -> LGMRec:
    settings = {key: getattr(args, key) for key in PAPER['baby'].model}
    if args.recommended:
        settings |= RECOMMENDED.model
    return LGMRec(
        data['user'].num_nodes,
        data['item'].num_nodes,
        {modality: data[modality].num_features for modality in args.modalities},
        embedding_dim=args.embedding_dim,
        temperature=args.temperature,
        **settings,
    )


def print_results(
    args: argparse.Namespace,
    data: HeteroData,
    history: History,
    evaluator: Evaluator,
    test_metrics: dict[str, float],
) -> dict[str, float]:
    r"""Prints a table of results, and returns those of the most popular items."""
    num_users, num_items = data['user'].num_nodes, data['item'].num_nodes
    items = data[INTERACTS].edge_index[1]
    popularity = torch.bincount(items, minlength=num_items).float().view(-1, 1)
    popularity_metrics = evaluator(popularity.new_ones(num_users, 1), popularity)
    rows = {
        ('LGMRec', 'this run'): test_metrics,
        ('Popularity', 'this data'): popularity_metrics,
    }
    for result in PUBLISHED.get(args.name, []):
        rows[result.model, result.source] = result.metrics
    print(
        f'\nTest results of {args.name}, all {num_items} items ranked '
        f'(best epoch {history.best_epoch} of {history.epochs_run}):\n'
    )
    print(results_table(rows))
    if evaluator.num_skipped > 0:
        print(f'\nSkipped {evaluator.num_skipped} test users without a training pair.')
    if args.name in PUBLISHED:
        print(
            '\nPublished numbers hold for the split and the features of their source.'
        )
    return popularity_metrics


def save_results(
    args: argparse.Namespace,
    model: LGMRec,
    data: HeteroData,
    history: History,
    seconds: dict[str, float],
    test_metrics: dict[str, float],
    popularity_metrics: dict[str, float],
    **more: Any,
) -> None:
    r"""Writes the record, the model, the learning curves and the page of a run."""
    record = run_record(
        args.name,
        data,
        history,
        vars(args) | model.settings,
        seconds=seconds,
        device=torch.device(args.device),
        test=test_metrics,
        popularity_test=popularity_metrics,
    )
    record |= {'seed': args.seed, **more}
    if args.json is not None:
        save_json(record, args.json)
        print(f"Saved the record of the run to '{args.json}'")
    if args.save is not None:
        save_model(model, args.save, data=data, metrics={'test': test_metrics})
        print(f"Saved the model to '{args.save}'")
    path = osp.join(args.output, f'learning_curves_{args.name}.png')
    try:
        plot_learning_curves(history, path)
        print(f"Saved the learning curves to '{path}'")
    except ImportError as error:
        print(f'No learning curves were saved: {error}')
    if args.report is not None:
        run = Run(model.cpu(), data.cpu(), record, args.name)
        try:
            report(run, args.report)
            print(f"Saved a page about the run to '{args.report}'")
        except ImportError as error:
            print(f'No page was saved: {error}')


if __name__ == '__main__':
    args = parse_args(arguments())
    start = time.perf_counter()
    seed_everything(args.seed)
    keep_freed_memory()  # Of the process that is this script's, for faster steps.
    device = torch.device(args.device)
    data = prepare(args).to(device)
    inputs = model_inputs(data)
    sampler = TripletSampler.from_data(data, batch_size=args.batch_size)
    evaluators = {split: Evaluator.from_data(data, split) for split in ['val', 'test']}
    model = build_model(args, data).to(device)
    print(data, sampler, *evaluators.values(), model, sep='\n')
    setup_seconds = time.perf_counter() - start

    history = fit(
        model,
        inputs,
        sampler,
        evaluators['val'],
        epochs=args.epochs,
        patience=args.patience,
        lr=args.lr,
        progress=args.progress,
        checkpoint=args.checkpoint,
        resume=args.resume,
    )
    if torch.initial_seed() != args.seed:  # That of the checkpoint.
        args.seed = torch.initial_seed()
        print(f"'{args.checkpoint}' is of a run with --seed {args.seed}, which went on")

    test_start = time.perf_counter()
    with torch.no_grad():
        test_metrics = evaluators['test'](*model.embed(*inputs))
    test_seconds = time.perf_counter() - test_start
    popularity_metrics = print_results(
        args, data, history, evaluators['test'], test_metrics
    )
    train_seconds = sum(history.train_seconds)
    seconds = {
        'setup': setup_seconds,
        'eval': sum(history.eval_seconds) + test_seconds,
        'total': time.perf_counter() - start,
    }
    print(
        f'\nSeconds: {setup_seconds:.1f} setup, {train_seconds:.1f} training, '
        f'{seconds["eval"]:.1f} evaluation, {seconds["total"]:.1f} in total'
    )
    skipped = {key: e.num_skipped for key, e in evaluators.items()}
    save_results(
        args,
        model,
        data,
        history,
        seconds,
        test_metrics,
        popularity_metrics,
        num_skipped_users=skipped,
    )
