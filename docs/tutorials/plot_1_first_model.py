r"""
A first model in five minutes
=============================

Trains LGMRec on built-in data, looks at the course of the training, compares it with
what is popular, and asks for recommendations.
"""

# %%
# The data are one :class:`~torch_geometric.data.HeteroData`: users, items, and a node
# type for each modality. Their interactions follow groups of taste, which both pictures
# and texts show in part, so a model that reads them has something to find.

import matplotlib.pyplot as plt
import torch
from torch_geometric import seed_everything

from lgmrec_pyg import RECOMMENDED, Evaluator, LGMRec, Recommender, fit
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import training_pairs

seed_everything(0)
data = SyntheticMultimodal(
    num_users=1_000, num_items=600, num_interactions=9_000, num_groups=40
)[0]
print(data)

# %%
# A preset holds what belongs together: a transform of the graph, the settings of the
# model, and the learning rate. :data:`~lgmrec_pyg.nn.RECOMMENDED` is the one to start
# with; :data:`~lgmrec_pyg.nn.PAPER` has those of the paper.

data = RECOMMENDED.transform(data)
model = LGMRec.from_data(data, **RECOMMENDED.model)
history = fit(model, data, lr=RECOMMENDED.lr, epochs=30, patience=8, progress=False)
print(f'Best after {history.best_epoch} of {history.epochs_run} epochs')

# %%
# :func:`~lgmrec_pyg.training.fit` has left the model with the weights of its best
# validation. The history holds the rest:

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout='constrained')
left.plot([losses['total'] for losses in history.losses])
left.set(title='training loss', xlabel='epoch')
for name in ('Recall@20', 'NDCG@20'):
    values = [metrics[name] for metrics in history.metrics]
    right.plot(history.eval_epochs, values, label=name)
right.axvline(history.best_epoch, color='gray', linestyle=':', label='best')
right.set(title='validation', xlabel='epoch')
right.legend()
plt.show()

# %%
# The test pairs were not touched so far. What is popular is the yardstick that every
# model has to beat:

recommender = Recommender.from_model(model, data)
evaluator = Evaluator.from_data(data, 'test')
metrics = evaluator(recommender.user_emb, recommender.item_emb)
num_users, num_items = data['user'].num_nodes, data['item'].num_nodes
count = torch.bincount(training_pairs(data)[1], minlength=num_items).float()
popular = evaluator(torch.ones(num_users, 1), count.view(-1, 1))

names = ['Recall@5', 'Recall@10', 'Recall@20', 'NDCG@20']
place = torch.arange(len(names))
figure, axis = plt.subplots(figsize=(6, 3), layout='constrained')
axis.bar(place - 0.2, [metrics[name] for name in names], 0.4, label='LGMRec')
axis.bar(place + 0.2, [popular[name] for name in names], 0.4, label='popularity')
axis.set_xticks(place, names)
axis.legend()
plt.show()

# %%
# Recommendations leave out what a user is known to have. These data have no ids of
# their own, so users and items are named by their indices; graphs of your files answer
# in your ids.

recommender.recommend([0, 1], k=3).to_frame()

# %%
# The items most similar to item 0 are one call as well:

recommender.similar_items(0, k=3).to_frame()
