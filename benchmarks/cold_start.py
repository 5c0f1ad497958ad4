r"""Items and users that training never saw, against training with them.

    python -m benchmarks.cold_start --quick
    python -m benchmarks.cold_start --data DIR/NAME --standardize

Withholds a tenth of the items and trains LGMRec on the rest. The withheld items
are embedded by their features, and ranked among themselves for the users who
have them: Recall@20, against random order. Then withholds a tenth of the users.
They are embedded by one half of their items and tested on the other, against a
model that has that half in training.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence

import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch.nn.functional import normalize
from torch_geometric import seed_everything
from torch_geometric.data import HeteroData
from torch_geometric.metrics import LinkPredRecall

from benchmarks.report import Report, suite_parser
from benchmarks.withheld import (
    item_features,
    split_histories,
    withhold_items,
    withhold_users,
)
from lgmrec_pyg.datasets import MultimodalDataset, SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator, topk
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.recommend import embed_new_items, embed_new_users
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency

K = 20


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('cold_start', __doc__, device=False, compares=False)
    parser.add_argument('--data', metavar='DIR/NAME', help='(default: synthetic)')
    parser.add_argument('--modalities', nargs='*', help='(default: all)')
    parser.add_argument('--standardize', action='store_true')
    parser.add_argument('--share', type=float, default=0.1, help='to withhold')
    parser.add_argument('--epochs', type=int, help='(default: 200; quick: 8)')
    parser.add_argument('--patience', type=int, default=10)
    args = parser.parse_args(argv)
    args.epochs = args.epochs or (8 if args.quick else 200)
    data, name = load(args)
    with Report('cold_start', args) as report:
        for measure in (measure_items, measure_users):
            for row in measure(data, args):
                print(
                    f'  {row["case"]:6s} {row["candidate"]:22s} '
                    f'Recall@{K} {row["recall"]:.4f}  {row["ratio"]:.2f} times '
                    f'{row["yardstick"]}',
                    flush=True,
                )
                report.add({'data': name, 'seed': args.seed, **row})


def measure_items(data: HeteroData, args: argparse.Namespace) -> list[dict]:
    r"""Recall among withheld items, embedded by their features."""
    generator = torch.Generator().manual_seed(args.seed)
    graph, new, pairs = withhold_items(data, args.share, generator)
    user_emb, item_emb = train(graph, args)
    known = torch.bincount(graph[INTERACTS].edge_index[0], minlength=len(user_emb))
    pairs = pairs[:, known[pairs[0]] > 0]
    x_dict = item_features(data, new)
    has = torch.stack([(x != 0).any(dim=1) for x in x_dict.values()]).any(dim=0)
    candidates = {
        'features': embed_new_items(graph, item_emb, mask(x_dict, has)),
        'nearest neighbors': nearest_neighbors(graph, item_emb, mask(x_dict, has)),
    }
    for name in x_dict if len(x_dict) > 1 else ():
        alone = {name: x_dict[name][has]}
        if (alone[name] != 0).any(dim=1).all():
            candidates[f'{name} alone'] = embed_new_items(graph, item_emb, alone)
    row = has.long().cumsum(0) - 1
    pairs = torch.stack([pairs[0], row[pairs[1]]])[:, has[pairs[1]]]
    users = pairs[0].unique()
    random = min(1.0, K / int(has.sum()))
    rows = [('random', random)]
    for name, emb in candidates.items():
        rows.append((name, recall_among(user_emb, emb, users, pairs)))
    return [as_row('items', name, value, random, 'random') for name, value in rows]


def measure_users(data: HeteroData, args: argparse.Namespace) -> list[dict]:
    r"""Recall of withheld users, embedded by half of their items."""
    generator = torch.Generator().manual_seed(args.seed)
    graph, pairs = withhold_users(data, args.share, generator)
    history, target = split_histories(pairs, generator)
    sizes = data[USER].num_nodes, data[ITEM].num_nodes
    evaluator = Evaluator(target, history, *sizes, ks=[K])
    metric = f'Recall@{K}'

    _, item_emb = train(graph, args)
    new = evaluator.users
    histories = [history[1, history[0] == user] for user in new]
    user_emb = item_emb.new_zeros(sizes[0], item_emb.size(1))
    user_emb[new] = embed_new_users(item_emb, histories)
    embedded = evaluator(user_emb, item_emb)[metric]
    popular = torch.bincount(graph[INTERACTS].edge_index[1], minlength=sizes[1])
    popular = popular.float().view(-1, 1)
    popularity = evaluator(torch.ones(sizes[0], 1), popular)[metric]

    graph[INTERACTS].edge_index = torch.cat(
        [graph[INTERACTS].edge_index, history], dim=1
    )
    graph[USER].num_nodes = sizes[0]
    trained = evaluator(*train(graph, args))[metric]
    rows = [('trained', trained), ('history', embedded), ('popularity', popularity)]
    return [as_row('users', name, value, trained, 'trained') for name, value in rows]


def train(data: HeteroData, args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    r"""Trains LGMRec as the paper does, and returns its embeddings."""
    seed_everything(args.seed)
    sizes = data[USER].num_nodes, data[ITEM].num_nodes
    pairs = data[INTERACTS].edge_index
    transforms = [T.ToUndirected(), DegreeNorm(), ToAdjacency()]
    if args.standardize or args.data is None:
        transforms.insert(0, StandardizeFeatures())
    inputs = model_inputs(T.Compose(transforms)(data))
    model = LGMRec.from_data(data)
    history = fit(
        model,
        inputs,
        TripletSampler(pairs, *sizes),
        Evaluator(data[INTERACTS].val_edge_label_index, pairs, *sizes, ks=[K]),
        epochs=args.epochs,
        patience=args.patience,
        progress=False,
    )
    print(
        f'  trained {len(history.losses)} epochs, validation Recall@{K} '
        f'{history.best_metrics[f"Recall@{K}"]:.4f}',
        flush=True,
    )
    with torch.no_grad():
        user_emb, item_emb = model.embed(*inputs)
    return user_emb, item_emb


def recall_among(
    user_emb: Tensor, item_emb: Tensor, users: Tensor, pairs: Tensor
) -> float:
    r"""Recall of the pairs among the given items alone."""
    place = torch.full((user_emb.size(0),), -1)
    place[users] = torch.arange(users.numel())
    k = min(K, item_emb.size(0))
    _, index = topk(user_emb[users], item_emb, k)
    metric = LinkPredRecall(k)
    metric.update(index, torch.stack([place[pairs[0]], pairs[1]]))
    return float(metric.compute())


def nearest_neighbors(
    data: HeteroData, item_emb: Tensor, x_dict: dict[str, Tensor], k: int = 10
) -> Tensor:
    r"""The mean of the trained items with the most similar features."""
    trained = torch.bincount(data[INTERACTS].edge_index[1], minlength=len(item_emb)) > 0
    known = item_features(data, trained.nonzero().flatten())
    old, new = [], []
    for name, x in x_dict.items():
        mean = known[name].mean(dim=0)
        old.append(normalize(known[name] - mean, dim=1))
        new.append(normalize(x - mean, dim=1))
    _, index = topk(torch.cat(new, dim=1), torch.cat(old, dim=1), k)
    return item_emb[trained][index].mean(dim=1)


def mask(x_dict: dict[str, Tensor], has: Tensor) -> dict[str, Tensor]:
    return {name: x[has] for name, x in x_dict.items()}


def as_row(
    case: str, candidate: str, recall: float, base: float, yardstick: str
) -> dict[str, object]:
    return {
        'case': case,
        'candidate': candidate,
        'recall': recall,
        'ratio': recall / base,
        'yardstick': yardstick,
    }


def load(args: argparse.Namespace) -> tuple[HeteroData, str]:
    if args.data is None:
        if args.modalities is not None:
            raise SystemExit("'--modalities' needs '--data', a folder of real data")
        return SyntheticMultimodal('small')[0], 'synthetic'
    with tempfile.TemporaryDirectory() as folder:
        data = MultimodalDataset.from_folder(
            args.data, modalities=args.modalities, processed_dir=folder
        )[0]
    return data, os.path.basename(os.path.abspath(args.data))


if __name__ == '__main__':
    main()
