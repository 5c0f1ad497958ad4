import pytest
import torch
from finished_runs import finished_run
from graphs import irregular_graph

from lgmrec_pyg.graph import INTERACTS, describes, model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.reporting.hyperedges import describe_hyperedges, strongest


def test_memberships_are_those_of_the_equations():
    data = irregular_graph(num_modalities=1, dtype=torch.float32)
    model = LGMRec.from_data(data, num_hyperedges=3).eval()
    out = describe_hyperedges(model, data, k=2)
    assert [(x.modality, x.number) for x in out] == [('image', j) for j in range(3)]

    (x_dict, graph), encoder = model_inputs(data), model.encoder['image']
    logits = encoder(x_dict['image'], graph.modality['image'], graph.interactions)
    described = torch.zeros(9, 1)
    described[data[describes('image')].edge_index[1]] = 1
    item = (logits.item_logits / 0.2).softmax(dim=1) * described
    user = (logits.user_logits / 0.2).softmax(dim=1)
    item, user = item.detach(), user.detach()
    for j, edge in enumerate(out):
        assert edge.user_share == pytest.approx(float(user[:, j].mean()))
        assert edge.item_share == pytest.approx(float(item[:, j].sum() / item.sum()))
        assert edge.memberships == pytest.approx(item[edge.items, j].tolist())
        assert edge.memberships[0] == pytest.approx(float(item[:, j].max()), abs=1e-3)
    for side in ('user_share', 'item_share'):
        assert sum(getattr(edge, side) for edge in out) == pytest.approx(1)


def test_items_that_say_the_same_meet():
    # Two kinds of items, told apart by the sign of one feature, and two hyperedges.
    data = irregular_graph(num_modalities=1, dtype=torch.float32)
    owner = data[describes('image')].edge_index[1]
    kind = torch.tensor([1.0, -1.0])[owner % 2]
    data['image'].x = kind.view(-1, 1).expand(-1, 4).contiguous()
    model = LGMRec.from_data(data, num_hyperedges=2, temperature=0.01).eval()
    first, second = describe_hyperedges(model, data, k=9)
    kinds = [
        {i % 2 for i, x in zip(e.items, e.memberships, strict=True) if x > 0.5}
        for e in (first, second)
    ]
    assert sorted(kinds, key=str) == [{0}, {1}]


def test_ties_go_by_degree_and_strangers_stay_out():
    membership = torch.tensor([1.0, 0.99999, 0.0, 0.4, 1.0])
    degree = torch.tensor([3, 5, 9, 9, 4])
    assert strongest(membership, degree, 5).tolist() == [1, 4, 0, 3]
    assert strongest(membership, degree, 2).tolist() == [1, 4]


def test_models_without_hyperedges():
    data = irregular_graph(dtype=torch.float32)
    model = LGMRec.from_data(data, parts=['collaborative', 'modality'])
    assert describe_hyperedges(model, data) == []
    run = finished_run('LightGCN', epochs=1)
    assert describe_hyperedges(run.model, run.graph) == []
    assert INTERACTS in run.graph.edge_types
