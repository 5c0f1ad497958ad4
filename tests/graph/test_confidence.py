import pandas as pd
import pytest
import torch
import torch_geometric.transforms as T
from graphs import dense_interactions, irregular_graph
from torch_geometric.loader import LinkNeighborLoader
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.datasets import graph_from_interactions
from lgmrec_pyg.graph import (
    INTERACTS,
    REV_INTERACTS,
    get_ids,
    model_inputs,
    validate_graph,
)
from lgmrec_pyg.nn import (
    DegreeDropEdge,
    DesmoothedPropagation,
    LGMRec,
    LightGCN,
    LocalPropagation,
)
from lgmrec_pyg.storage import fingerprint, load_model, save_model
from lgmrec_pyg.transforms import DegreeNorm, ForSampling, ToAdjacency

LAYOUTS = ['csr', 'edge_index', *(['torch_sparse'] if WITH_TORCH_SPARSE else [])]


@pytest.fixture
def data():
    data = irregular_graph()
    generator = torch.Generator().manual_seed(1)
    size = data[INTERACTS].num_edges
    counts = torch.randint(1, 9, (size,), generator=generator).double()
    data[INTERACTS].confidence = counts
    return data


def dense_weights(data, kept=1.0):
    counts = dense_interactions(data)
    counts[tuple(data[INTERACTS].edge_index)] = data[INTERACTS].confidence
    counts = counts * kept
    user, item = counts.sum(1, keepdim=True), counts.sum(0, keepdim=True)
    return torch.where(counts > 0, counts / (user * item).sqrt(), 0.0)


def layouts(data):
    yield data
    yield T.ToUndirected()(data.clone())
    yield DegreeNorm()(T.ToUndirected()(data.clone()))
    if WITH_TORCH_SPARSE:
        yield T.ToSparseTensor()(data.clone())
    for layout in LAYOUTS:
        yield ToAdjacency(layout)(data.clone())


def test_propagation_is_that_of_a_dense_reference(data):
    weights = dense_weights(data)
    model = LightGCN(11, 9, num_layers=2).double()
    user, item = model.user_embedding.weight, model.item_embedding.weight
    user1, item1 = weights @ item, weights.t() @ user
    user = (user + user1 + weights @ item1) / 3
    item = (item + item1 + weights.t() @ user1) / 3
    for graph in layouts(data):
        validate_graph(graph)
        out = model.embed(*model_inputs(graph))
        torch.testing.assert_close(out, (user, item), rtol=1e-12, atol=1e-12)
        assert fingerprint(graph) == fingerprint(data)


def test_counts_of_one_change_nothing(data):
    model = LGMRec.from_data(data).double().eval()
    del data[INTERACTS].confidence
    expected = model.embed(*model_inputs(data))
    for value in (1.0, 7.0):  # Of one scale, they cancel out.
        data[INTERACTS].confidence = torch.full((data[INTERACTS].num_edges,), value)
        out = model.embed(*model_inputs(data))
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


def test_dropped_edges_are_normalized_by_what_is_left(data):
    drop = DegreeDropEdge(0.5).train()
    graph = drop(model_inputs(data)[1].interactions)
    kept = graph.to_user.csr
    mask = torch.zeros(11, 9, dtype=torch.float64)
    mask[kept.row, kept.col] = 1
    assert 0 < mask.sum() == dense_interactions(data).sum() // 2
    got = torch.zeros_like(mask)
    got[kept.row, kept.col] = kept.value
    torch.testing.assert_close(got, dense_weights(data, mask))


def test_transforms_and_loaders_carry_it_along(data):
    counts = dense_interactions(data)
    counts[tuple(data[INTERACTS].edge_index)] = data[INTERACTS].confidence
    everyone = torch.arange(11), torch.arange(9)
    some = torch.tensor([4, 0, 7]), torch.tensor([0, 5])
    for part, (users, items) in (
        (data.subgraph(dict(zip(('user', 'item'), some, strict=True))), some),
        (T.RandomLinkSplit(edge_types=INTERACTS)(data)[0], everyone),
    ):
        user, item = part[INTERACTS].edge_index
        assert user.numel() > 0
        expected = counts[users[user], items[item]]
        assert torch.equal(part[INTERACTS].confidence, expected)
    if not WITH_TORCH_SPARSE:
        return
    index = data[INTERACTS].edge_index
    loader = LinkNeighborLoader(
        T.ToUndirected()(data),
        num_neighbors=[4],
        edge_label_index=(INTERACTS, index),
        batch_size=5,
    )
    for batch in loader:
        user, item = batch[INTERACTS].edge_index
        expected = counts[batch['user'].n_id[user], batch['item'].n_id[item]]
        assert torch.equal(batch[INTERACTS].confidence, expected)


def test_counts_and_weights_of_a_table(tmp_path):
    rows = [('a', 'x', 2.5), ('b', 'y', 1.0), ('a', 'x', 0.5), ('a', 'y', 4.0)]
    table = pd.DataFrame(rows, columns=['user_id', 'item_id', 'hours'])
    options = {'val_ratio': 0, 'test_ratio': 0}
    path = tmp_path / 'hours.csv'
    table.to_csv(path, index=False)
    for source in (table, str(path)):
        for weight, expected in (('hours', [3, 4, 1]), (True, [2, 1, 1])):
            data = graph_from_interactions(source, weight=weight, **options)
            assert data[INTERACTS].edge_index.tolist() == [[0, 0, 1], [0, 1, 1]]
            assert data[INTERACTS].confidence.tolist() == expected
            assert get_ids(data, 'user') == ['a', 'b']
        plain = graph_from_interactions(source, **options)
        assert 'confidence' not in plain[INTERACTS]
    pairs = torch.tensor([[0, 1, 1], [0, 0, 0]])
    data = graph_from_interactions(pairs, weight=True, **options)
    assert data[INTERACTS].confidence.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"'confidence' .* positive finite number"):
        graph_from_interactions(table.assign(hours=0), weight='hours', **options)


def test_a_split_keeps_the_weights_of_training_pairs():
    table = pd.DataFrame({'user_id': [0] * 6 + [1] * 6, 'item_id': 2 * [*range(6)]})
    table['n'] = 10 * table['user_id'] + table['item_id'] + 1
    data = graph_from_interactions(table, weight='n', val_ratio=0.2, test_ratio=0.2)
    user, item = data[INTERACTS].edge_index
    assert 2 <= user.numel() < 12
    assert torch.equal(data[INTERACTS].confidence, (10 * user + item + 1).float())


def test_a_model_refuses_other_counts(data, tmp_path):
    model = LGMRec.from_data(data)
    save_model(model, tmp_path, data=data)
    load_model(tmp_path, data=ToAdjacency('csr')(data.clone()))
    data[INTERACTS].confidence = data[INTERACTS].confidence + 1
    with pytest.raises(ValueError, match='other confidence'):
        load_model(tmp_path, data=data)
    for wrong in (torch.ones(3), -data[INTERACTS].confidence, [1.0]):
        data[INTERACTS].confidence = wrong
        with pytest.raises(ValueError, match="'confidence' of edge type"):
            validate_graph(data)


@pytest.mark.parametrize('layout', [torch.sparse_csr, torch.sparse_coo])
def test_ones_of_a_sparse_tensor_are_no_weights(layout):
    data = irregular_graph()
    model = LGMRec.from_data(data).double().eval()
    graph = T.ToSparseTensor(layout=layout)(T.ToUndirected()(data.clone()))
    out = model.embed(*model_inputs(graph))
    expected = model.embed(*model_inputs(data))
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(not WITH_TORCH_SPARSE, reason='needs torch-sparse')
def test_withheld_pairs_of_a_sampled_part_do_not_matter():
    data = irregular_graph()
    data[INTERACTS].val_edge_label_index = torch.tensor([[0], [8]])
    loader = LinkNeighborLoader(
        T.ToUndirected()(data),
        num_neighbors=[4],
        edge_label_index=(INTERACTS, data[INTERACTS].edge_index[:, :2]),
        batch_size=2,
    )
    for batch in loader:
        assert batch['item'].num_nodes < 8
        validate_graph(batch)


def test_the_limit_of_smoothing_is_that_of_weighted_pairs(data):
    graph = model_inputs(data)[1].interactions
    r = dense_interactions(data)
    r[r != 0] = graph.confidence.to(r.dtype)  # In the order of users, then items.
    limit = torch.cat([r.sum(1), r.sum(0)]).sqrt().view(-1, 1)
    x = limit.split(list(r.shape))
    out = torch.cat(LocalPropagation(1, 'last')(*x, graph))
    torch.testing.assert_close(out, limit)
    out = torch.cat(DesmoothedPropagation([1.0], 'last')(*x, graph))
    torch.testing.assert_close(out, limit)
    out = torch.cat(DesmoothedPropagation([-1.0], 'last')(*x, graph))
    torch.testing.assert_close(out, limit)


def test_the_reverse_gets_the_weights_of_its_pairs(data):
    weights = dense_weights(data)
    plain = data.clone()
    counts = plain[INTERACTS].pop('confidence')
    plain = T.ToUndirected()(plain)
    plain[REV_INTERACTS].edge_index = plain[REV_INTERACTS].edge_index.flip(1)
    plain[INTERACTS].confidence = counts
    for graph in (DegreeNorm()(plain), DegreeNorm()(ForSampling()(data))):
        item, user = graph[REV_INTERACTS].edge_index
        torch.testing.assert_close(
            graph[REV_INTERACTS].edge_weight.double(), weights[user, item]
        )
    plain[REV_INTERACTS].edge_index = plain[REV_INTERACTS].edge_index[:, 1:]
    with pytest.raises(ValueError, match=r"'confidence' is needed of .*'rev_interacts"):
        DegreeNorm()(plain)
