r"""
Composing a gated hypergraph model
==================================

Everything that LGMRec is made of stands alone. This page composes some of its layers
into another model, which learns for each item how far to trust the hyperedges.
"""

# %%
# The idea: an item with many interactions is known by them; one with few is known
# better by the company that its text keeps. So there is a local view (light graph
# convolution over interactions), a global one (items through the hyperedges that texts
# define), and a learned gate between them. What texts say enters with unit length, so
# that it neither drowns the IDs nor is drowned by them.

from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import Embedding, Linear, Module
from torch_geometric import seed_everything

import lgmrec_pyg.nn as nn
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs, training_pairs
from lgmrec_pyg.ops import unit_rows
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import StandardizeFeatures


class Loss(NamedTuple):
    total: Tensor


class GatedHypergraph(Module):
    def __init__(self, num_users: int, num_items: int, num_features: int) -> None:
        super().__init__()
        self.user, self.item = Embedding(num_users, 32), Embedding(num_items, 32)
        for embedding in (self.user, self.item):
            torch.nn.init.xavier_uniform_(embedding.weight)
        self.encoder = nn.ModalityEncoder(num_features, 32, num_hyperedges=16)
        self.local = nn.LocalPropagation(num_layers=2)
        self.hypergraph = nn.GlobalHypergraph(dropout=0.2, normalize=True)
        self.gate = Linear(64, 1)
        self.bpr = nn.BPRLoss()

    def views(self, x_dict, graph):
        text = self.encoder(x_dict['text'], graph.modality['text'], graph.interactions)
        user, item = self.local(
            self.user.weight + unit_rows(text.user),
            self.item.weight + unit_rows(text.item),
            graph.interactions,
        )
        hyper_user, hyper_item = self.hypergraph(
            item, text.user_logits, text.item_logits, graph.modality['text'].described
        )
        return (user, hyper_user.dense()), (item, hyper_item.dense())

    def forward(self, x_dict, graph):
        return tuple(self.fuse(*views) for views in self.views(x_dict, graph))

    def weigh(self, local: Tensor, hyper: Tensor) -> Tensor:
        return self.gate(torch.cat([local, hyper], dim=-1)).sigmoid()

    def fuse(self, local: Tensor, hyper: Tensor) -> Tensor:
        gate = self.weigh(local, hyper)
        return gate * local + (1 - gate) * hyper

    def loss(self, out, user: Tensor, pos: Tensor, neg: Tensor) -> Loss:
        return Loss(self.bpr(out[0][user], out[1][pos], out[1][neg]))

    embed = forward


# %%
# A ``forward``, a ``loss`` and an ``embed`` are all that
# :func:`~lgmrec_pyg.training.fit` asks for, see
# :class:`~lgmrec_pyg.training.Trainable`. :func:`~lgmrec_pyg.graph.model_inputs` turns
# the graph into what ``forward`` takes: the features, and the edges in both directions,
# compressed once.

seed_everything(0)
data = SyntheticMultimodal(
    num_users=1_200, num_items=1_000, num_interactions=7_000, num_groups=60
)[0]
data = StandardizeFeatures()(data)
inputs = model_inputs(data)
sizes = data['user'].num_nodes, data['item'].num_nodes
sampler = TripletSampler.from_data(data)
validate, test = Evaluator.from_data(data, 'val'), Evaluator.from_data(data, 'test')

recalls = {}
gated = GatedHypergraph(*sizes, data['text'].num_features)
light = nn.LightGCN.from_data(data, embedding_dim=32)
for name, model in {'LightGCN': light, 'gated hypergraph': gated}.items():
    options = {'lr': 1e-2, 'epochs': 40, 'eval_every': 2, 'progress': False}
    history = fit(model, inputs, sampler, validate, **options)
    with torch.no_grad():
        recalls[name] = test(*model.embed(*inputs))['Recall@20']
    print(f'{name}: Recall@20 {recalls[name]:.3f}, best epoch {history.best_epoch}')

# %%
# The same :class:`~lgmrec_pyg.evaluation.Evaluator` holds both to the test pairs:

figure, axis = plt.subplots(figsize=(6, 1.8), layout='constrained')
axis.barh(list(recalls), list(recalls.values()), color=['C0', 'C1'])
axis.set(xlabel='test Recall@20')
plt.show()

# %%
# And the gate? The weight of the local view, by the number of training pairs that an
# item has. On these data it stays close to one: the model trusts the local view, which
# the texts enter as well, nearly everywhere, and the items that lean on hyperedges most
# are those with few pairs. Looking at such a thing is how one finds what can go.

with torch.no_grad():
    _, item = gated.views(*inputs)
    weight = gated.weigh(*item).flatten()

degree = torch.bincount(training_pairs(data)[1], minlength=sizes[1])
groups = [degree == 0, (degree > 0) & (degree < 5), (degree >= 5) & (degree < 15)]
groups.append(degree >= 15)
labels = ['none', '1 to 4', '5 to 14', '15 or more']
figure, axis = plt.subplots(figsize=(6, 2.6), layout='constrained')
axis.boxplot([weight[group].tolist() for group in groups], tick_labels=labels)
axis.set(xlabel='training pairs of the item', ylabel='weight of the local view')
plt.show()
