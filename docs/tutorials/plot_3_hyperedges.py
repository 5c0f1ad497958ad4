r"""
What hyperedges mean
====================

LGMRec learns a few hyperedges in each modality, in the space of the features. They are
its global view: all items that belong to a hyperedge speak to each other through it,
and to all users who like such items. This page looks at what they stand for.
"""

# %%
# A shop of six departments, each with its own kind of text. The ids say the department,
# the model is not told.

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch_geometric import seed_everything

from lgmrec_pyg import LGMRec, fit, graph_from_interactions
from lgmrec_pyg.graph import get_ids, model_inputs
from lgmrec_pyg.nn import HyperedgeMembership
from lgmrec_pyg.transforms import StandardizeFeatures

seed_everything(1)
departments = ['toys', 'garden', 'music', 'kitchen', 'books', 'sports']
num_users, num_items = 600, 300
kind = torch.arange(num_items) % 6
text = torch.randn(6, 24)[kind] + 0.5 * torch.randn(num_items, 24)
ids = [f'{departments[k]}-{i:03d}' for i, k in enumerate(kind.tolist())]

taste = torch.distributions.Dirichlet(torch.full((6,), 0.15)).sample((num_users,))
chance = taste[:, kind] / (1 + torch.arange(num_items)).pow(0.3)
taken = torch.multinomial(chance, 12).flatten()
table = {
    'user_id': torch.arange(num_users).repeat_interleave(12),
    'item_id': [ids[i] for i in taken.tolist()],
}

data = graph_from_interactions(pd.DataFrame(table), {'text': (ids, text)})
data = StandardizeFeatures()(data)

# %%
# Six hyperedges. The noise of memberships, with which the paper trains, is what makes
# them take a side: a membership near the middle would be a coin toss in every step.

model = LGMRec.from_data(data, embedding_dim=32, num_hyperedges=6)
fit(model, data, lr=1e-2, epochs=40, patience=40, progress=False)


x_dict, graph = model_inputs(data)
membership = HyperedgeMembership().eval()  # Neither noise nor dropout.
with torch.no_grad():
    content = model.encoder['text'](
        x_dict['text'], graph.modality['text'], graph.interactions
    )
    items = membership(content.item_logits)
found = get_ids(data, 'item')
for k in range(6):
    top = items[:, k].topk(4).indices.tolist()
    print(
        f'hyperedge {k}, {items[:, k].mean():4.0%} of items:', *(found[i] for i in top)
    )

# %%
# Each row is one department: the mean membership of its items in every hyperedge. Where
# a row has one dark cell, a hyperedge has found the department from texts and clicks
# alone; two departments may share one, for nothing asks them not to.

group = torch.tensor([departments.index(id_.split('-')[0]) for id_ in found])
mean = torch.stack([items[group == k].mean(dim=0) for k in range(6)])
figure, axis = plt.subplots(figsize=(5, 3.2), layout='constrained')
image = axis.imshow(mean, vmin=0, vmax=1, cmap='Oranges')
axis.set_yticks(range(6), departments)
axis.set(xlabel='hyperedge')
figure.colorbar(image, label='mean membership')
plt.show()

# %%
# Users spread over hyperedges by the items that they have. An effective number of
# hyperedges (the exponential of the entropy) near one means one interest, a larger one
# several. The paper sums the logits of a user's items, which drives everyone with a
# dozen items into one hyperedge; ``user_logits='mean'`` takes their mean, and leaves
# users their several interests.

degree = graph.modality['text'].user_degree
figure, axis = plt.subplots(figsize=(6, 2.6), layout='constrained')
for name, logits in {
    'sum, as in the paper': content.user_logits,
    'mean': content.user_logits / degree,
}.items():
    spread = torch.special.entr(membership(logits)).sum(dim=1).exp()
    axis.hist(spread.tolist(), bins=40, range=(1, 6), alpha=0.6, label=name)
axis.set(xlabel='effective number of hyperedges of a user', ylabel='users')
axis.legend()
plt.show()
