r"""From interactions and features of your own to recommendations in your own ids.

Without arguments, it first writes built-in data the way a shop would have it: a
table of interactions, and a folder with one file of features a modality.
"""

import argparse
import os.path as osp

import torch
from torch_geometric import seed_everything

from lgmrec_pyg.datasets import (
    SyntheticMultimodal,
    graph_from_interactions,
    save_item_features,
)
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, describes, modalities, model_inputs
from lgmrec_pyg.nn import RECOMMENDED, LGMRec
from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.storage import save_model
from lgmrec_pyg.training import fit

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--interactions', help='CSV, TSV or Parquet file')
parser.add_argument('--user', default='user_id', help='its column of user ids')
parser.add_argument('--item', default='item_id', help='its column of item ids')
parser.add_argument('--features', help='folder of <modality>.npz with ids and x')
parser.add_argument('--output', default='output', help='folder for what is written')
parser.add_argument('--epochs', type=int, default=100)
args = parser.parse_args()
if args.features is not None and args.interactions is None:
    parser.error("'--features' needs '--interactions'")
seed_everything(0)


def write_demo(folder: str) -> tuple[str, str]:
    data = SyntheticMultimodal('small')[0]
    items = [f'sku-{i:04d}' for i in range(data['item'].num_nodes)]
    features = {}
    for name in modalities(data):  # Not every item has a picture, or a text.
        described = data[describes(name)].edge_index[1].tolist()
        features[name] = [items[i] for i in described], data[name].x
    save_item_features(osp.join(folder, 'features'), features)
    store = data[INTERACTS]
    pairs = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    path = osp.join(folder, 'clicks.csv')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('user_id,item_id\n')
        for user, item in torch.cat(pairs, dim=1).t().tolist():
            file.write(f'customer-{user:04d},{items[item]}\n')
    return path, osp.join(folder, 'features')


def in_output(name: str) -> str:
    return osp.join(args.output, name)


if args.interactions is None:
    args.interactions, args.features = write_demo(args.output)

names = {'user': args.user, 'item': args.item}
data = RECOMMENDED.transform(
    graph_from_interactions(args.interactions, args.features, **names)
)
model = LGMRec.from_data(data, **RECOMMENDED.model)
sampler, validate = TripletSampler.from_data(data), Evaluator.from_data(data, 'val')
inputs = model_inputs(data)
fit(model, inputs, sampler, validate, lr=RECOMMENDED.lr, epochs=args.epochs)
recommender = Recommender.from_model(model, data)
test = Evaluator.from_data(data, 'test')
print(f'Test: {test(recommender.user_emb, recommender.item_emb)}')
print(recommender.recommend(data['user'].ids[:3], k=5).to_frame())
recommender.to_parquet(in_output('top20.parquet'), k=20)
save_model(model, in_output('model'), data=data)
print(f"Saved the recommendations for everyone and the model to '{args.output}'")
