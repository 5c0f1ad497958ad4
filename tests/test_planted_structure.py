r"""On data whose structure shows in the features, LGMRec beats models that do not see
them.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.nn import LightGCN

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import BPRLoss, LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency


class Loss(NamedTuple):
    total: Tensor


class LightGCNRecommender(torch.nn.Module):
    def __init__(self, num_users: int, num_items: int) -> None:
        super().__init__()
        self.size = [num_users, num_items]
        self.model = LightGCN(num_users + num_items, 64, num_layers=3)
        self.bpr = BPRLoss()

    def forward(self, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        user, item = self.model.get_embedding(edge_index).split(self.size)
        return user, item

    def loss(self, out: tuple, user: Tensor, pos: Tensor, neg: Tensor) -> Loss:
        triplets = out[0][user], out[1][pos], out[1][neg]
        layer = self.model.embedding.weight
        reg = (layer[user].norm() + layer[pos + self.size[0]].norm()) / user.numel()
        return Loss(self.bpr(*triplets) + 1e-4 * reg)

    embed = forward


def recall(model: torch.nn.Module, inputs: tuple, data: HeteroData) -> float:
    size = data['user'].num_nodes, data['item'].num_nodes
    pairs, store = data[INTERACTS].edge_index, data[INTERACTS]
    generator = torch.Generator().manual_seed(0)
    sampler = TripletSampler(pairs, *size, generator=generator)
    validate = Evaluator(store.val_edge_label_index, pairs, *size)
    fit(model, inputs, sampler, validate, epochs=60, progress=False)
    with torch.no_grad():
        test = Evaluator(store.test_edge_label_index, pairs, *size)
        return test(*model.embed(*inputs))['Recall@20']


def test_lgmrec_beats_lightgcn_and_popularity() -> None:
    data = SyntheticMultimodal('small')[0]
    num_users, num_items = data['user'].num_nodes, data['item'].num_nodes
    user, item = data[INTERACTS].edge_index
    square = torch.stack(
        [torch.cat([user, item + num_users]), torch.cat([item + num_users, user])]
    )
    lightgcn = recall(LightGCNRecommender(num_users, num_items), (square,), data)

    popularity = torch.bincount(item, minlength=num_items).float().view(-1, 1)
    test = Evaluator(
        data[INTERACTS].test_edge_label_index,
        torch.stack([user, item]),
        num_users,
        num_items,
    )
    popular = test(torch.ones(num_users, 1), popularity)['Recall@20']

    graph = data
    for transform in (StandardizeFeatures(), DegreeNorm(), ToAdjacency()):
        graph = transform(graph)
    lgmrec = recall(LGMRec.from_data(graph), model_inputs(graph), data)
    assert lgmrec > 1.1 * lightgcn
    assert lightgcn > 2 * popular
