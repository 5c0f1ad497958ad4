import copy
import json

import pytest
import torch
import torch.nn.functional as F
from graphs import ADJ_KINDS, dense_interactions, inputs_of, irregular_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import DenseLGMRec, Parameters
from torch import Tensor
from torch._dynamo.utils import counters
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import (
    INTERACTS,
    describes,
    modalities,
    model_inputs,
    similar,
    validate_graph,
)
from lgmrec_pyg.nn import LGMRec, NodeEmbedding
from lgmrec_pyg.nn.models.lgmrec import PARTS
from lgmrec_pyg.transforms import SimilarItems, ToAdjacency

TRIPLETS = torch.tensor([[0, 0, 1, 4, 10], [0, 1, 3, 5, 0], [5, 7, 8, 2, 6]])


def reference(data: HeteroData, model: LGMRec, **kwargs) -> DenseLGMRec:
    names = modalities(data)
    parameters = Parameters(
        model.user_embedding.weight.detach().clone().requires_grad_(),
        model.item_embedding.weight.detach().clone().requires_grad_(),
        {m: _copy(model.encoder[m].projection.weight) for m in names},
        {m: _copy(model.encoder[m].projection.hyperedge) for m in names},
        {m: _copy(table.weight) for m, table in model.modality_user.items()},
    )
    owner = {}
    for m in names:
        node, item = data[describes(m)].edge_index
        owner[m] = torch.zeros(
            data['item'].num_nodes, data[m].num_nodes, dtype=torch.float64
        )
        owner[m][item, node] = 1
    features = {m: data[m].x for m in names}
    return DenseLGMRec(dense_interactions(data), features, owner, parameters, **kwargs)


def _copy(x: Tensor) -> Tensor:
    return x.detach().clone().requires_grad_()


def build(data: HeteroData, **kwargs) -> LGMRec:
    kwargs = {'embedding_dim': 8, 'num_hyperedges': 3, **kwargs}
    return LGMRec.from_data(data, **kwargs).double()


def assert_equal_to_reference(model: LGMRec, inputs: tuple, dense: DenseLGMRec) -> None:
    out = model(*inputs)
    expected, _ = dense.embeddings()
    embeddings = torch.cat([model.fusion(out.user), model.fusion(out.item)])
    assert torch.allclose(embeddings, expected, rtol=0, atol=1e-9)

    losses = model.loss(out, *TRIPLETS)
    expected_losses = dense.loss(*TRIPLETS)
    for value, expected_value in zip(losses, expected_losses, strict=True):
        assert torch.allclose(value, expected_value, rtol=1e-9, atol=1e-9)

    for i in range(3):  # Gradients of the total and of its two largest terms.
        if not expected_losses[i].requires_grad:
            continue
        params = [
            model.user_embedding.weight,
            model.item_embedding.weight,
            *(e.projection.weight for e in model.encoder.values()),
            *(e.projection.hyperedge for e in model.encoder.values()),
            *(table.weight for table in model.modality_user.values()),
        ]
        kwargs = {'retain_graph': True, 'allow_unused': True, 'materialize_grads': True}
        grads = torch.autograd.grad(losses[i], params, **kwargs)
        expected_grads = torch.autograd.grad(
            expected_losses[i], dense.parameters.all(), **kwargs
        )
        for grad, expected_grad in zip(grads, expected_grads, strict=True):
            assert torch.allclose(grad, expected_grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('kind', ADJ_KINDS)
@pytest.mark.parametrize('num_modalities', [0, 1, 2, 3])
def test_equal_to_dense_reference(num_modalities: int, kind: str) -> None:
    data = irregular_graph(num_modalities)
    model = build(data).eval()
    assert_equal_to_reference(model, inputs_of(data, kind), reference(data, model))


@pytest.mark.parametrize('layers', [(0, 0, 1), (1, 3, 2), (4, 2, 3)])
@pytest.mark.parametrize('num_hyperedges', [1, 3, 12])
def test_layers_and_hyperedges(layers: tuple, num_hyperedges: int) -> None:
    data = irregular_graph()
    model = build(
        data,
        num_collaborative_layers=layers[0],
        num_modality_layers=layers[1],
        num_hypergraph_layers=layers[2],
        num_hyperedges=num_hyperedges,
        alpha=0.7,
        temperature=0.5,
    ).eval()
    dense = reference(data, model, layers=layers, alpha=0.7, temperature=0.5)
    assert_equal_to_reference(model, inputs_of(data, 'csr'), dense)


@pytest.mark.parametrize(
    'parts',
    [
        ('collaborative', 'modality'),
        ('collaborative', 'hypergraph'),
        ('hypergraph',),
        ('modality',),
        ('modality', 'hypergraph'),
        ('collaborative',),
    ],
)
def test_ablations(parts: tuple) -> None:
    data = irregular_graph()
    model = build(data, parts=parts).eval()
    dense = reference(data, model, parts=parts)
    assert_equal_to_reference(model, inputs_of(data, 'csr'), dense)


def test_shared_ids() -> None:
    data = irregular_graph()
    model = build(data, shared_ids=True).eval()
    dense = reference(data, model, shared_ids=True)
    assert_equal_to_reference(model, inputs_of(data, 'csr'), dense)


def similarities(data: HeteroData) -> dict[str, Tensor]:
    num_items = data['item'].num_nodes
    out = {}
    for m in modalities(data):
        out[m] = torch.zeros(num_items, num_items, dtype=torch.float64)
        source, target = data[similar(m)].edge_index
        out[m][target, source] = data[similar(m)].edge_weight.double()
    return out


@pytest.mark.parametrize('shared_ids', [False, True])
@pytest.mark.parametrize('similar_weight', [0.0, 0.5])
@pytest.mark.parametrize('ranking_loss', ['bpr', 'softmax'])
@pytest.mark.parametrize(
    'parts', [PARTS, ('modality',), ('collaborative', 'modality'), ('hypergraph',)]
)
def test_concatenation(shared_ids, similar_weight, ranking_loss, parts) -> None:
    data = SimilarItems(k=3)(irregular_graph())
    kwargs = {'shared_ids': shared_ids, 'similar_weight': similar_weight}
    kwargs |= {'ranking_loss': ranking_loss, 'parts': parts}
    model = build(data, fusion='concat', **kwargs).eval()
    assert len(model.modality_user) == (0 if shared_ids else 2)
    temperature = 0.2 if ranking_loss == 'softmax' else None
    kwargs |= {'softmax_temperature': temperature, 'similar': similarities(data)}
    del kwargs['ranking_loss']
    dense = reference(data, model, concat=True, **kwargs)
    assert_equal_to_reference(model, model_inputs(data), dense)


@pytest.mark.parametrize('num_modalities', [1, 3])
def test_similar_items(num_modalities: int) -> None:
    data = SimilarItems(k=4)(irregular_graph(num_modalities))
    model = build(data, similar_weight=0.7).eval()
    dense = reference(data, model, similar=similarities(data), similar_weight=0.7)
    assert_equal_to_reference(model, model_inputs(data), dense)
    with pytest.raises(ValueError, match='transform the graph by SimilarItems'):
        model(*model_inputs(irregular_graph(num_modalities)))


@pytest.mark.parametrize('fusion', ['sum', 'concat'])
@pytest.mark.parametrize('drawn', [False, True])
def test_new_items(fusion: str, drawn: bool, monkeypatch) -> None:
    data = SimilarItems(k=3)(irregular_graph())
    kwargs = {'similar_weight': 0.5, 'parts': PARTS}
    options = {'ranking_loss': 'softmax', 'new_item_rate': 0.1, 'noise': None}
    model = build(data, fusion=fusion, dropout=0.0, **options, **kwargs).train(drawn)
    degree = torch.bincount(data[INTERACTS].edge_index[1], minlength=9)
    known = (degree > 0).view(-1, 1)
    assert not known.all()
    if drawn:
        known = known & (torch.arange(9) % 4 > 0).view(-1, 1)
        monkeypatch.setattr(model.new_items, 'forward', lambda _: known)
    kwargs |= {'known': known.double(), 'similar': similarities(data)}
    kwargs |= {'concat': fusion == 'concat', 'softmax_temperature': 0.2}
    dense = reference(data, model, **kwargs)
    assert_equal_to_reference(model, model_inputs(data), dense)


@pytest.mark.parametrize('temperature', [0.1, 0.5])
def test_softmax_over_all_items(temperature: float) -> None:
    data = irregular_graph()
    kwargs = {'ranking_loss': 'softmax', 'ranking_temperature': temperature}
    model = build(data, **kwargs).eval()
    dense = reference(data, model, softmax_temperature=temperature)
    inputs = inputs_of(data, 'csr')
    assert_equal_to_reference(model, inputs, dense)

    user, item = model.embed(*inputs)  # Ranked by cosines, as trained.
    expected = F.normalize(dense.embeddings()[0])
    assert torch.allclose(torch.cat([user, item]), expected, rtol=0, atol=1e-9)


def test_unknown_ranking_loss() -> None:
    with pytest.raises(ValueError, match="'ranking_loss' needs to be one of"):
        build(irregular_graph(), ranking_loss='hinge')


def test_settings_rebuild_the_model() -> None:
    model = build(irregular_graph(), alpha=0.7, ranking_loss='softmax')
    twin = LGMRec(**json.loads(json.dumps(model.settings))).double()
    twin.load_state_dict(model.state_dict())
    inputs = inputs_of(irregular_graph(), 'csr')
    for x, y in zip(
        model.eval().embed(*inputs), twin.eval().embed(*inputs), strict=True
    ):
        assert torch.equal(x, y)


def test_training_draws_noise_and_one_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    data = irregular_graph()
    model = build(data).train()
    drawn: list[tuple[Tensor, Tensor]] = []

    def add_noise(logits: Tensor) -> Tensor:
        noise = torch.randn_like(logits)
        drawn.append((noise, torch.empty(0)))
        return logits + noise

    def dropout(x: Tensor, p: float, training: bool) -> Tensor:
        mask = torch.bernoulli(torch.full_like(x, 1 - p)) / (1 - p)
        drawn[-1] = (drawn[-1][0], mask)
        return x * mask

    monkeypatch.setattr(model.hypergraph.membership, 'add_noise', add_noise)
    monkeypatch.setattr(F, 'dropout', dropout)
    inputs = inputs_of(data, 'csr')
    out = model(*inputs)
    (item1, user1, item2, user2), names = drawn, modalities(data)
    pairs = {names[0]: (user1, item1), names[1]: (user2, item2)}
    dense = reference(data, model)
    dense.noise = {m: (u[0], i[0]) for m, (u, i) in pairs.items()}
    dense.mask = {m: (u[1], i[1]) for m, (u, i) in pairs.items()}
    expected = dense.loss(*TRIPLETS)
    losses = model.loss(out, *TRIPLETS)
    assert losses.contrast > 0
    for value, expected_value in zip(losses, expected, strict=True):
        assert torch.allclose(value, expected_value, rtol=1e-9, atol=1e-9)


def test_eval_is_deterministic_and_noisy_eval_is_not() -> None:
    data = irregular_graph(dtype=torch.float32)
    inputs = inputs_of(data, 'csr', torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8).eval()
    first, second = model.embed(*inputs), model.embed(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    model.hypergraph.membership.noisy_eval = True
    assert not torch.equal(model.embed(*inputs)[0], model.embed(*inputs)[0])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), num_modalities=st.integers(0, 3))
def test_edge_order_does_not_matter(seed: int, num_modalities: int) -> None:
    data = irregular_graph(num_modalities, seed=seed % 100)
    model = build(data).eval()
    expected = model.embed(*inputs_of(data, 'edge_index'))
    generator = torch.Generator().manual_seed(seed)
    shuffled = copy.copy(data)
    for store in shuffled.edge_stores:
        perm = torch.randperm(store.edge_index.size(1), generator=generator)
        store.edge_index = store.edge_index[:, perm]
    for kind in ('edge_index', 'csr'):
        out = model.embed(*inputs_of(shuffled, kind))
        assert torch.allclose(out[0], expected[0], atol=1e-9)
        assert torch.allclose(out[1], expected[1], atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_relabelled_nodes_get_relabelled_embeddings(seed: int) -> None:
    data = irregular_graph(2, seed=seed % 100)
    model = build(data).eval()
    user, item = model.embed(*inputs_of(data, 'csr'))
    generator = torch.Generator().manual_seed(seed)
    perm = {
        name: torch.randperm(data[name].num_nodes, generator=generator)
        for name in data.node_types
    }
    other = HeteroData()
    for name in data.node_types:  # Node v of the graph is node perm[v] of the other.
        other[name].num_nodes = data[name].num_nodes
        if 'x' in data[name]:
            other[name].x = torch.empty_like(data[name].x)
            other[name].x[perm[name]] = data[name].x
    for edge_type in data.edge_types:
        src, dst = data[edge_type].edge_index
        other[edge_type].edge_index = torch.stack(
            [perm[edge_type[0]][src], perm[edge_type[2]][dst]]
        )
    relabelled = copy.deepcopy(model)
    with torch.no_grad():
        relabelled.user_embedding.weight[perm['user']] = model.user_embedding.weight
        relabelled.item_embedding.weight[perm['item']] = model.item_embedding.weight
    out_user, out_item = relabelled.embed(*inputs_of(other, 'csr'))
    assert torch.allclose(out_user[perm['user']], user, atol=1e-9)
    assert torch.allclose(out_item[perm['item']], item, atol=1e-9)


def test_bfloat16_features_stay_close() -> None:
    data = irregular_graph(dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8).eval()
    expected, _ = model.embed(*inputs_of(data, 'csr', torch.float32))
    for name in modalities(data):
        data[name].x = data[name].x.bfloat16()
    out, _ = model.embed(*inputs_of(data, 'csr', torch.float32))
    assert out.dtype == torch.float32
    assert torch.allclose(out, expected, atol=0.05)
    assert not torch.equal(out, expected)


def test_reset_parameters() -> None:
    data = irregular_graph()
    model = build(data)
    before = [p.detach().clone() for p in model.parameters()]
    torch.manual_seed(1)
    model.reset_parameters()
    after = [p.detach().clone() for p in model.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    torch.manual_seed(1)
    model.reset_parameters()
    for a, b in zip(after, model.parameters(), strict=True):
        assert torch.equal(a, b)
    bound = (6 / (11 + 8)) ** 0.5  # Xavier uniform of an 11 x 8 matrix.
    assert bound * 0.9 < model.user_embedding.weight.abs().max() <= bound


def test_repr() -> None:
    model = LGMRec(7, 5, {'image': 4, 'text': 3}, embedding_dim=8)
    expected = "LGMRec(7, 5, {'image': 4, 'text': 3}, embedding_dim=8)"
    assert repr(model) == expected


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'num_users': 0}, r"'num_users' needs to be a positive integer \(got 0\)"),
        (
            {'num_hyperedges': 0},
            r"'num_hyperedges' needs to be positive \(got 0\)",
        ),
        (
            {'embedding_dim': 0},
            r"'embedding_dim' needs to be a positive integer \(got 0\)",
        ),
        ({'embedding_dim': 8.0}, r"'embedding_dim' needs to be .* \(got 8.0\)"),
        ({'num_items': -1}, r"'num_items' needs to be a positive integer \(got -1\)"),
        ({'parts': ()}, r"'parts' needs to be some of"),
        ({'parts': ('local',)}, r"'parts' needs to be some of .* \(got \('local',\)\)"),
        ({'user_logits': 'max'}, r"'user_logits' needs to be 'sum' or 'mean'"),
        ({'num_hypergraph_layers': 0}, r"'num_layers' needs to be positive"),
        ({'num_modality_layers': -1}, r"'num_layers' needs to be at least 0"),
        ({'temperature': 0.0}, r"'temperature' needs to be positive"),
        ({'dropout': 1.0}, r"'dropout' needs to be in \[0, 1\)"),
        ({'noise': 'normal'}, r"'noise' needs to be one of"),
    ],
)
def test_invalid_arguments(kwargs: dict, message: str) -> None:
    arguments = {'num_users': 3, 'num_items': 2, 'feature_dims': {'image': 4}, **kwargs}
    with pytest.raises(ValueError, match=message):
        LGMRec(**arguments)


def test_inputs_that_do_not_fit() -> None:
    data = irregular_graph()
    model = build(data)
    x_dict, adj_dict = inputs_of(data, 'csr')
    with pytest.raises(ValueError, match=r"needs to hold the edge type .*'interacts'"):
        model(x_dict, {describes('text'): adj_dict[describes('text')]})
    with pytest.raises(ValueError, match=r"modalities of the model .*\['text'\]"):
        model({'image': x_dict['image']}, adj_dict)
    with pytest.raises(ValueError, match=r'11 users and 9 items of the model .* 12 '):
        model(*inputs_of(irregular_graph(num_users=12), 'csr'))


def test_reverse_edges_are_not_needed() -> None:
    data = irregular_graph()
    model = build(data).eval()
    expected = model.embed(*inputs_of(data, 'edge_index'))
    for x, y in zip(model.embed(*model_inputs(data)), expected, strict=True):
        assert torch.allclose(x, y)


def test_modalities_may_have_any_name() -> None:
    data = irregular_graph(1, dtype=torch.float32)
    for name in ('clip.vit', 'type', 'keys'):
        other = HeteroData()
        for node_type in ('user', 'item'):
            other[node_type].num_nodes = data[node_type].num_nodes
        other[INTERACTS].edge_index = data[INTERACTS].edge_index
        other[name].x = data['image'].x
        edge_index = data[describes('image')].edge_index
        other[describes(name)].edge_index = edge_index
        torch.manual_seed(0)
        model = LGMRec.from_data(other, embedding_dim=8).eval()
        torch.manual_seed(0)
        expected = LGMRec.from_data(data, embedding_dim=8).eval()
        for a, b in zip(
            model.embed(*inputs_of(other, 'csr', torch.float32)),
            expected.embed(*inputs_of(data, 'csr', torch.float32)),
            strict=True,
        ):
            assert torch.equal(a, b)


def test_from_data_checks_the_graph() -> None:
    data = irregular_graph()
    data[INTERACTS].edge_index[1, 0] = 99
    with pytest.raises(ValueError, match="'item' indices from 0 to 8"):
        LGMRec.from_data(data)


def test_triplets_of_unlike_sizes_are_refused() -> None:
    data = irregular_graph()
    model = build(data)
    out = model(*inputs_of(data, 'csr'))
    with pytest.raises(ValueError, match='need to be of one size'):
        model.loss(out, TRIPLETS[0, :1], *TRIPLETS[1:])


# The compiler itself makes an object of every custom function.
@pytest.mark.filterwarnings('ignore:.*should not be instantiated:DeprecationWarning')
def test_compiled_model_equals_eager_one() -> None:
    # The compiler would otherwise run parts of calls to native code on memory that
    # they do not own.
    counters.clear()
    data = irregular_graph(2, dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8, num_hyperedges=3)
    inputs = inputs_of(data, 'csr', torch.float32)
    compiled = torch.compile(model, backend='aot_eager')
    results = []
    for forward in (model, compiled):
        torch.manual_seed(0)
        model.zero_grad()
        losses = model.loss(forward(*inputs), *TRIPLETS)
        losses.total.backward()
        results.append([losses.total, *(x.grad for x in model.parameters())])
    for expected, out in zip(*results, strict=True):
        assert torch.allclose(out, expected, atol=1e-6)
    assert not [x for x in counters['graph_break'] if 'FuncPtr' in x]


@pytest.mark.parametrize('layout', [None, 'auto', 'csr', 'edge_index'])
def test_indices_of_32_bits_give_the_same(layout: str | None) -> None:
    data = irregular_graph(dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8).eval()
    expected = model.embed(*model_inputs(data))
    for store in data.edge_stores:
        store.edge_index = store.edge_index.int()
    data = data if layout is None else ToAdjacency(layout)(data)
    validate_graph(data)
    for x, y in zip(model.embed(*model_inputs(data)), expected, strict=True):
        assert torch.allclose(x, y, atol=1e-6)


def test_a_modality_is_no_attribute_of_a_module() -> None:
    data = irregular_graph(1)
    data['training'].x = data['image'].x
    data[describes('training')].edge_index = data[describes('image')].edge_index
    with pytest.raises(ValueError, match="A modality cannot be named 'training'"):
        LGMRec.from_data(data)


@pytest.mark.parametrize('ranking_loss', ['bpr', 'softmax'])
def test_embeds_large_graphs_in_chunks(monkeypatch, ranking_loss: str) -> None:
    data = irregular_graph()
    model = build(data, ranking_loss=ranking_loss).eval()
    inputs = inputs_of(data, 'csr')
    expected = model.embed(*inputs)
    monkeypatch.setattr('lgmrec_pyg.nn.models.lgmrec.CHUNK_ROWS', 4)
    part, sizes = NodeEmbedding.part, []

    def observed(self, rows):
        sizes.append(part(self, rows).collaborative.size(0))
        return part(self, rows)

    monkeypatch.setattr(NodeEmbedding, 'part', observed)
    with torch.no_grad():
        found = model.embed(*inputs)
    assert max(sizes) == 4
    assert sum(sizes) == sum(len(x) for x in expected)
    for x, y in zip(found, expected, strict=True):
        assert torch.allclose(x, y, rtol=1e-12)


def test_parts_of_a_graph_reach_as_far_as_layers() -> None:
    sizes = {'num_collaborative_layers': 1, 'num_modality_layers': 3}
    dims = {'text': 3}
    assert LGMRec(4, 3, {}, **sizes).num_hops == 1
    assert LGMRec(4, 3, {}, num_collaborative_layers=0).num_hops == 0
    # Users are lifted to hyperedges, and enter propagation, by their items.
    assert LGMRec(4, 3, dims, **sizes).num_hops == 4
    assert LGMRec(4, 3, dims, **sizes, fusion='concat').num_hops == 3
    parts = ['collaborative', 'hypergraph']
    assert LGMRec(4, 3, dims, **sizes, parts=parts).num_hops == 1
