r"""Composes layers of the library into a model other than LGMRec: one modality,
a local and a global view of the interactions, and a learned gate between them.
"""

import argparse
from collections import namedtuple
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric import seed_everything

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import MultimodalGraph, model_inputs
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import StandardizeFeatures

Loss = namedtuple('Loss', ['total'])


class GatedHypergraph(torch.nn.Module):
    def __init__(self, num_users: int, num_items: int, num_features: int) -> None:
        super().__init__()
        self.user, self.item = Embedding(num_users, 64), Embedding(num_items, 64)
        for embedding in (self.user, self.item):
            torch.nn.init.xavier_uniform_(embedding.weight)
        self.encoder = nn.ModalityEncoder(num_features, 64, num_hyperedges=16)
        self.local = nn.LocalPropagation(num_layers=2)
        self.hypergraph = nn.GlobalHypergraph(dropout=0.2, normalize=True)
        self.gate = Linear(128, 64)
        self.bpr = nn.BPRLoss()

    def forward(self, x_dict: Any, graph: MultimodalGraph) -> tuple[Tensor, Tensor]:
        text = self.encoder(x_dict['text'], graph.modality['text'], graph.interactions)
        user, item = self.local(
            self.user.weight + text.user,
            self.item.weight + text.item,
            graph.interactions,
        )
        hyper_user, hyper_item = self.hypergraph(
            item, text.user_logits, text.item_logits, graph.modality['text'].described
        )
        return self.fuse(user, hyper_user.dense()), self.fuse(item, hyper_item.dense())

    def fuse(self, local: Tensor, hyper: Tensor) -> Tensor:
        gate = self.gate(torch.cat([local, hyper], dim=-1)).sigmoid()
        return gate * local + (1 - gate) * hyper

    def loss(self, out: Any, user: Tensor, pos: Tensor, neg: Tensor) -> Loss:
        return Loss(self.bpr(out[0][user], out[1][pos], out[1][neg]))

    embed = forward


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--preset', default='small')
parser.add_argument('--epochs', type=int, default=100)
args = parser.parse_args()

seed_everything(0)
data = SyntheticMultimodal(args.preset)[0]
size = (data['user'].num_nodes, data['item'].num_nodes)
validate, test = Evaluator.from_data(data, 'val'), Evaluator.from_data(data, 'test')
inputs = model_inputs(StandardizeFeatures()(data))

model = GatedHypergraph(*size, data['text'].num_features)
fit(model, inputs, TripletSampler.from_data(data), validate, epochs=args.epochs)
with torch.no_grad():
    metrics = test(*model.embed(*inputs))
print(model, f'Test Recall@20: {metrics["Recall@20"]:.4f}', sep='\n')
