r"""The whole way from a graph to a ranking whose right answer is known."""

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation import Evaluator, topk
from lgmrec_pyg.graph import INTERACTS, describes, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency

NUM_USERS, NUM_ITEMS = 20, 16


def checkerboard(modalities):
    r"""Users interact with all items of their colour but one, the withheld."""
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = NUM_USERS, NUM_ITEMS
    pairs = torch.cartesian_prod(torch.arange(NUM_USERS), torch.arange(NUM_ITEMS))
    pairs = pairs[pairs[:, 0] % 2 == pairs[:, 1] % 2]
    withheld = pairs[:, 1] // 2 == pairs[:, 0] // 2 % (NUM_ITEMS // 2)
    data[INTERACTS].edge_index = pairs[~withheld].t().contiguous()
    data[INTERACTS].test_edge_label_index = pairs[withheld].t().contiguous()
    colour = torch.nn.functional.one_hot(torch.arange(NUM_ITEMS) % 2).float()
    for modality in modalities:
        data[modality].x = colour @ torch.randn(2, 6) + 0.1 * torch.randn(NUM_ITEMS, 6)
        index = torch.arange(NUM_ITEMS).expand(2, -1).contiguous()
        data[describes(modality)].edge_index = index
    return data


@pytest.mark.parametrize('modalities', [[], ['text'], ['image', 'text']])
def test_withheld_item_ranks_first(modalities):
    data = checkerboard(modalities)
    train, test = data[INTERACTS].edge_index, data[INTERACTS].test_edge_label_index
    evaluator = Evaluator(test, train, NUM_USERS, NUM_ITEMS, ks=[1])
    sampler = TripletSampler(train, NUM_USERS, NUM_ITEMS, batch_size=32)
    transforms = [StandardizeFeatures(), T.ToUndirected(), DegreeNorm(), ToAdjacency()]
    inputs = model_inputs(T.Compose(transforms)(data))

    model = LGMRec.from_data(data, embedding_dim=8, num_hyperedges=2)
    history = fit(
        model,
        inputs,
        sampler,
        evaluator,
        epochs=30,
        patience=30,
        lr=0.02,
        monitor='Recall@1',
        progress=False,
    )
    assert history.best_metrics['Recall@1'] == 1.0

    with torch.no_grad():
        user_emb, item_emb = model.embed(*inputs)
    num_known = torch.bincount(train[0], minlength=NUM_USERS)
    rowptr = torch.cat([num_known.new_zeros(1), num_known.cumsum(0)])
    _, index = topk(user_emb, item_emb, k=2, exclude=(rowptr, train[1]))
    assert index[test[0], 0].tolist() == test[1].tolist()
    assert (index[:, 1] % 2 != torch.arange(NUM_USERS) % 2).all()
    for loss in history.losses:
        expected = loss['ranking'] + 1e-4 * loss['contrast'] + 1e-6 * loss['reg']
        assert loss['total'] == pytest.approx(expected, rel=1e-5)


def test_two_runs_are_bit_identical():
    histories, embeddings = [], []
    for _ in range(2):
        torch.manual_seed(3)
        data = checkerboard(['image', 'text'])
        pairs = data[INTERACTS].edge_index
        evaluator = Evaluator(
            data[INTERACTS].test_edge_label_index, pairs, NUM_USERS, NUM_ITEMS
        )
        inputs = model_inputs(ToAdjacency()(data))
        model = LGMRec.from_data(data, embedding_dim=8)
        sampler = TripletSampler(pairs, NUM_USERS, NUM_ITEMS, batch_size=50)
        histories.append(
            fit(model, inputs, sampler, evaluator, epochs=3, progress=False)
        )
        with torch.no_grad():
            embeddings += [model.embed(*inputs)[0], model.embed(*inputs)[0]]
    assert histories[0].losses == histories[1].losses
    assert histories[0].metrics == histories[1].metrics
    for embedding in embeddings[1:]:
        assert torch.equal(embedding, embeddings[0])
