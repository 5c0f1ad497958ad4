r"""
Recommending items that nobody has yet
======================================

A catalog grows every day, and training is once a week. This page withholds a tenth of
the items from training altogether, embeds them by their features alone, and ranks them
for the users who turned out to want them.
"""

# %%
# The features of withheld items are known, their interactions are not.

import matplotlib.pyplot as plt
import torch
from torch_geometric import seed_everything

from lgmrec_pyg import RECOMMENDED, LGMRec, Recommender, fit, graph_from_interactions
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.graph import INTERACTS, describes

seed_everything(0)
source = SyntheticMultimodal(
    num_users=1_000,
    num_items=800,
    num_interactions=10_000,
    num_groups=30,
    cold_share=0,
    missing_share=0,
)[0]
pairs = source[INTERACTS].edge_index
is_new = torch.rand(source['item'].num_nodes) < 0.1
rows = source[describes('text')].edge_index[1]
assert rows.equal(torch.arange(800))  # A row of features an item, in order.

known, later = pairs[:, ~is_new[pairs[1]]], pairs[:, is_new[pairs[1]]]
old, new = (~is_new).nonzero().flatten(), is_new.nonzero().flatten()
features = {name: source[name].x for name in ('image', 'text')}
raw = graph_from_interactions(
    known,
    {name: (old, x[old]) for name, x in features.items()},
    test_ratio=0,
    catalog=old,  # Items stay even if nobody has them.
)

data = RECOMMENDED.transform(raw)
model = LGMRec.from_data(data, **RECOMMENDED.model)
fit(model, data, lr=RECOMMENDED.lr, epochs=25, patience=8, progress=False)
recommender = Recommender.from_model(model, data)

# %%
# The new items join by one call. The graph is the one before its features were
# standardized, as the features of new items are raw as well.

extended = recommender.with_new_items(
    raw, {name: (new, x[new]) for name, x in features.items()}
)
print(recommender, extended, sep='\n')
extended.recommend(int(later[0, 0]), k=3, items=new.tolist()).to_frame()

# %%
# Of the new items that a user went on to take, how many are among the first ten of all
# new ones? By features alone, without a model, one can take the items closest to the
# mean of what a user has; and random order is the floor.

k = 10
users = [user for user in later[0].unique().tolist() if user in set(known[0].tolist())]
wanted = {user: set(later[1, later[0] == user].tolist()) for user in users}


def recall(ranked: dict[int, list[int]]) -> float:
    hits = [len(wanted[u].intersection(ranked[u])) / len(wanted[u]) for u in users]
    return sum(hits) / len(hits)


ranked = extended.recommend(users, k=k, items=new.tolist()).ids
by_model = dict(zip(users, ranked, strict=True))

x = torch.cat([torch.nn.functional.normalize(x) for x in features.values()], dim=1)
x = x - x[old].mean(dim=0)
profile = {u: x[known[1, known[0] == u]].mean(dim=0) for u in users}
by_features = {u: new[(x[new] @ profile[u]).topk(k).indices].tolist() for u in users}
by_chance = {u: new[torch.randperm(len(new))[:k]].tolist() for u in users}

recalls = {
    'random order': recall(by_chance),
    'closest features': recall(by_features),
    'with_new_items': recall(by_model),
}
figure, axis = plt.subplots(figsize=(6, 2.2), layout='constrained')
bars = axis.barh(list(recalls), list(recalls.values()), color=['gray', 'C0', 'C1'])
axis.bar_label(bars, fmt='%.2f', padding=3)
axis.set(xlabel=f'Recall@{k} among {len(new)} new items')
axis.margins(x=0.12)
plt.show()
