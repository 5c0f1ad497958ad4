import inspect
import os
import os.path as osp
import time
from contextlib import suppress
from typing import Annotated

import torch
import typer
from torch_geometric import seed_everything

import lgmrec_pyg.nn as nn
from lgmrec_pyg import training
from lgmrec_pyg.cli.app import say
from lgmrec_pyg.cli.data import load_data
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, modalities
from lgmrec_pyg.reporting import Catalogue, Run, find_preset, results_table, run_record
from lgmrec_pyg.reporting.accuracy import popularity, withheld_split
from lgmrec_pyg.reporting.catalogue import FILE as TITLES
from lgmrec_pyg.reporting.run import RECORD
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import keep_freed_memory

Option = typer.Option
TABLE, TRAINING = 'Tables of interactions', 'Training'
COLUMNS = {'user', 'item', 'rating', 'timestamp', 'min_rating', 'k_core', 'split'}
COLUMNS |= {'val_ratio', 'test_ratio', 'seed'}


def fit(
    interactions: Annotated[
        str,
        typer.Argument(
            help='A CSV, TSV or Parquet file; a folder in the layout of the field; or '
            'built-in data: synthetic, synthetic-tiny, synthetic-baby, or baby, '
            'sports, clothing, which are downloaded.'
        ),
    ],
    features: Annotated[
        str | None,
        Option(help='Folder of <modality>.npz with ids and x.'),
    ] = None,
    out: Annotated[str, Option(help='The folder of the run.')] = 'run',
    catalogue: Annotated[
        str | None,
        Option(help='Table of items with their ids, and title or image, to show.'),
    ] = None,
    user: Annotated[
        str, Option(help='Column of user ids.', rich_help_panel=TABLE)
    ] = 'user_id',
    item: Annotated[
        str, Option(help='Column of item ids.', rich_help_panel=TABLE)
    ] = 'item_id',
    rating: Annotated[
        str | None,
        Option(help='Column of ratings, for --min-rating.', rich_help_panel=TABLE),
    ] = None,
    timestamp: Annotated[
        str | None,
        Option(help='Column of times, for --split.', rich_help_panel=TABLE),
    ] = None,
    min_rating: Annotated[
        float | None, Option(help='The least rating to count.', rich_help_panel=TABLE)
    ] = None,
    k_core: Annotated[
        int,
        Option(help='Interactions of every user and item.', rich_help_panel=TABLE),
    ] = 1,
    split: Annotated[
        str, Option(help='random, leave_one_out or time.', rich_help_panel=TABLE)
    ] = 'random',
    val_ratio: Annotated[
        float, Option(help='Share for validation.', rich_help_panel=TABLE)
    ] = 0.1,
    test_ratio: Annotated[
        float, Option(help='Share for test.', rich_help_panel=TABLE)
    ] = 0.1,
    root: Annotated[
        str, Option(help='Where the folders of baby etc. are.', rich_help_panel=TABLE)
    ] = 'data',
    model: Annotated[
        str, Option(help='LGMRec, FREEDOM, LightGCN, ...', rich_help_panel=TRAINING)
    ] = 'LGMRec',
    preset: Annotated[
        str, Option(help='recommended, or paper.', rich_help_panel=TRAINING)
    ] = 'recommended',
    epochs: Annotated[
        int, Option(help='The most epochs to train for.', rich_help_panel=TRAINING)
    ] = 1000,
    patience: Annotated[
        int,
        Option(help='Evaluations without improvement.', rich_help_panel=TRAINING),
    ] = 20,
    eval_every: Annotated[
        int, Option(help='Epochs between evaluations.', rich_help_panel=TRAINING)
    ] = 1,
    lr: Annotated[
        float | None,
        Option(
            help='The learning rate, if not that of --preset.', rich_help_panel=TRAINING
        ),
    ] = None,
    batch_size: Annotated[
        int, Option(help='Triplets of a step.', rich_help_panel=TRAINING)
    ] = 2048,
    embedding_dim: Annotated[
        int | None,
        Option(
            help='The embedding size, if not that of --preset.',
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seed: Annotated[
        int, Option(help='Of split and training.', rich_help_panel=TRAINING)
    ] = 0,
    device: Annotated[
        str | None,
        Option(
            help='cpu, cuda, ... (default: cuda if there is one)',
            rich_help_panel=TRAINING,
        ),
    ] = None,
    resume: Annotated[
        bool,
        Option('--resume', help='Continue a run of this folder that was killed.'),
    ] = False,
    overwrite: Annotated[
        bool, Option('--overwrite', help='Replace the run of this folder.')
    ] = False,
    progress: Annotated[bool, Option(help='Show progress.')] = True,
) -> None:
    r"""Train a model, and save it as a run.

    Examples:

        lgmrec fit synthetic
        lgmrec fit clicks.csv --features features --out run
        lgmrec fit stars.csv --rating stars --min-rating 4 --k-core 5
        lgmrec fit synthetic --model FREEDOM --preset paper --out freedom
    """
    given = {name: x for name, x in locals().items() if x is not None}
    defaults = inspect.signature(fit).parameters
    of_table = COLUMNS - {'item', 'seed'}  # Which the catalogue and training use.
    changed = [x for x in given if x in of_table and given[x] != defaults[x].default]
    if changed and not osp.isfile(interactions):
        raise ValueError(
            f"'--{changed[0].replace('_', '-')}' needs a table of interactions (got "
            f"'{interactions}', which is no file)"
        )
    start = time.perf_counter()
    find_preset(model, preset)  # Wrong names should not wait for data.
    checkpoint = osp.join(out, 'checkpoint.safetensors')
    if not overwrite:
        check_folder(out, checkpoint, resume)
    cache, columns = osp.join(out, 'processed'), COLUMNS & {*given}
    table = {column: given[column] for column in columns}
    dataset, data = load_data(interactions, features, root, cache, **table)
    shown = Catalogue() if catalogue is None else Catalogue.read(catalogue, item)
    chosen = find_preset(model, preset, dataset)
    keep_freed_memory()
    seed_everything(seed)
    place = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    graph = chosen.transform(data).to(place)
    sizes = {} if embedding_dim is None else {'embedding_dim': embedding_dim}
    net = getattr(nn, model).from_data(graph, **chosen.model | sizes).to(place)
    if not modalities(data):
        say('There are no --features: items are told apart by their ids alone')
    say(
        f'Trains {net} by {data[INTERACTS].edge_index.size(1):,} pairs on {place}, for '
        f'{epochs} epochs, or until {patience} evaluations bring nothing better'
    )
    withheld = withheld_split(data)
    evaluator = None if withheld is None else Evaluator.from_data(data, withheld)
    if overwrite:  # Not before all else is known to be right.
        for path in (osp.join(out, RECORD), osp.join(out, TITLES), checkpoint):
            with suppress(FileNotFoundError):
                os.remove(path)
    setup = time.perf_counter() - start
    history = training.fit(
        net,
        graph,
        TripletSampler.from_data(graph, batch_size=batch_size),
        epochs=epochs,
        patience=patience,
        eval_every=eval_every,
        lr=chosen.lr if lr is None else lr,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    settings = given | {'device': str(place), 'lr': chosen.lr if lr is None else lr}
    seconds = {'setup': setup}
    record = run_record(dataset, data, history, settings, seconds=seconds, device=place)
    run = Run(net.cpu(), data, record, osp.basename(out), chosen.transform, shown)
    if withheld is not None and evaluator is not None:
        record[withheld] = evaluator(*run.embeddings)
        rows = {
            (model, f'best epoch {history.best_epoch}'): record[withheld],
            ('Popularity', 'this data'): evaluator(*popularity(data)),
        }
        typer.echo(f'On {withheld} pairs:\n{results_table(rows)}')
    run.save(out)
    with suppress(FileNotFoundError):
        os.remove(checkpoint)
    say(f"Saved the run to '{out}'. Next: lgmrec report {out}")


def check_folder(out: str, checkpoint: str, resume: bool) -> None:
    r"""Checks that nothing in a folder would be lost.

    Args:
        out (str): The folder.
        checkpoint (str): The checkpoint in it.
        resume (bool): Whether to continue from the checkpoint.
    """
    if osp.exists(osp.join(out, RECORD)):
        raise ValueError(
            f"'{out}' holds a run already: pass --overwrite to replace it, or another "
            f'--out'
        )
    if osp.exists(checkpoint) and not resume:
        raise ValueError(
            f"'{out}' holds a run that was not finished: pass --resume to continue it, "
            f'or --overwrite to start anew'
        )
