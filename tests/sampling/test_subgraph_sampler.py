import warnings

import pytest
import torch
from graphs import irregular_graph
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.loader import LinkNeighborLoader
from torch_geometric.sampler import NegativeSampling
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.graph import (
    INTERACTS,
    REV_INTERACTS,
    model_inputs,
    seed_probability,
    similar,
    triplets,
)
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.ops import CSR
from lgmrec_pyg.sampling import SubgraphSampler, TripletSampler
from lgmrec_pyg.sampling.draw_neighbors import draw_neighbors
from lgmrec_pyg.transforms import DegreeNorm, ForSampling, SimilarItems

needs_torch_sparse = pytest.mark.skipif(
    not WITH_TORCH_SPARSE, reason='needs torch-sparse'
)
ALL = (100, 100, 100, 100)


def graph() -> HeteroData:
    return irregular_graph(num_users=30, num_items=25, dtype=torch.double)


def build(data: HeteroData, **kwargs) -> LGMRec:
    torch.manual_seed(0)
    kwargs = {'embedding_dim': 8, 'num_hyperedges': 3, 'noise': None} | kwargs
    return LGMRec.from_data(data, **kwargs).double()


def inputs_of(data: HeteroData) -> tuple:
    torch.set_default_dtype(torch.double)
    inputs = model_inputs(data)
    torch.set_default_dtype(torch.float)
    return inputs


def pyg_loader(data: HeteroData, interactions: list[int], **kwargs):
    data = ForSampling()(data)
    hops = {x: [-1] * (len(interactions) + 1) for x in data.edge_types}
    hops |= {x: [*interactions, 0] for x in (INTERACTS, REV_INTERACTS)}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyG would rather have pyg-lib.
        yield from LinkNeighborLoader(
            data,
            hops,
            edge_label_index=(INTERACTS, data[INTERACTS].edge_index),
            neg_sampling=NegativeSampling('triplet'),
            shuffle=True,
            **kwargs,
        )


def test_neighbors_are_drawn_with_equal_probabilities() -> None:
    # Rows of 7, 0, 2 and 100 neighbors.
    rowptr = torch.tensor([0, 7, 7, 9, 109])
    csr = CSR(rowptr, torch.arange(109), None, (4, 109))
    nodes, count = torch.tensor([3, 0, 1, 2]), torch.zeros(109)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2000):
        place, src, _ = draw_neighbors(csr, nodes, 3, generator)
        assert place.tolist() == [0, 0, 0, 1, 1, 1, 3, 3]
        assert src.unique().numel() == 8  # None twice.
        count[src] += 1
    rate = count / 2000
    expected = torch.tensor([3 / 7] * 7 + [1.0] * 2 + [3 / 100] * 100)
    error = (expected * (1 - expected) / 2000).sqrt()
    assert ((rate - expected).abs() <= 4.5 * error).all()


def test_probability_of_seeds_counts_all_draws() -> None:
    # 2 of 4 pairs, 1 of which holds the node: missed by 3 of 6. Then 1 of 5 nodes.
    degree = torch.tensor([0, 1, 2, 3, 4])
    out = seed_probability(degree, 4, 2, 5, 0)
    assert torch.allclose(out, torch.tensor([0, 3, 5, 6, 6]).double() / 6)
    out = seed_probability(degree, 4, 2, 5, 1)
    assert torch.allclose(out, 1 - torch.tensor([6, 3, 1, 0, 0]).double() / 6 * 0.8)


def test_seeds_are_drawn_with_their_probabilities() -> None:
    data = graph()
    sampler = SubgraphSampler(data, [1], batch_size=20)
    torch.manual_seed(0)
    sizes = {'user': 30, 'item': 25}
    total = {name: torch.zeros(size) for name, size in sizes.items()}
    for _ in range(400):
        batch = next(iter(sampler))
        for name, sums in total.items():
            weight = 1 / batch[name].seed_probability
            sums[batch[name].n_id[: weight.numel()]] += weight.float()
    for sums in total.values():  # All are ones, those without interactions as well.
        assert torch.allclose(sums / 400, torch.ones(len(sums)), atol=0.35)
        assert float(sums.mean() / 400) == pytest.approx(1, abs=0.03)


OPTIONS = [
    {'shared_ids': True},
    {'shared_ids': False},
    {'fusion': 'concat', 'similar_weight': 0.5},
    {'fusion': 'concat', 'parts': ['collaborative', 'modality']},
    {'fusion': 'concat', 'similar_weight': 0.5, 'new_item_rate': 0.1},
]


@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('loss', ['bpr', 'softmax'])
def test_all_neighbors_and_all_seeds_are_the_whole_graph(
    options: dict, loss: str
) -> None:
    data = SimilarItems(k=4)(graph())
    model = build(data, ranking_loss=loss, **options).eval()
    whole = inputs_of(data)
    sampler = SubgraphSampler(data, ALL, batch_size=10_000)
    (triplet,) = TripletSampler.from_data(data, batch_size=10_000)
    sampler._draw_idle = lambda name, _: sampler._idle[name]
    batch = sampler.sample(*triplet)
    for name, size in (('user', 30), ('item', 25)):
        assert batch[name].n_id.sort().values.equal(torch.arange(size))
        batch[name].seed_probability = torch.ones(size, dtype=torch.double)
    losses = model.loss(model(*whole), *triplet)
    part = model.loss(model(*inputs_of(batch)), *triplets(batch))
    for value, expected in zip(part, losses, strict=True):
        assert torch.allclose(value, expected, rtol=1e-6)
    params = list(model.parameters())
    grads = torch.autograd.grad(part.total, params)
    for grad, expected in zip(
        grads, torch.autograd.grad(losses.total, params), strict=True
    ):
        assert torch.allclose(grad.to_dense(), expected, rtol=1e-5, atol=1e-7)


def moments(values: list[Tensor]) -> tuple[Tensor, Tensor]:
    stack = torch.stack(values)
    return stack.mean(dim=0), stack.std(dim=0) / len(values) ** 0.5


def statistics(model: LGMRec, batch: HeteroData, biased: bool = False) -> list[Tensor]:
    r"""Embeddings of the seeds, and the gradient of a linear function of them."""
    x_dict, part = inputs_of(batch)
    if biased:  # As by the degrees of the part.
        del batch[INTERACTS].edge_weight, batch[REV_INTERACTS].edge_weight
        for name in ('user', 'item'):
            edge_type = REV_INTERACTS if name == 'user' else INTERACTS
            index = batch[edge_type].edge_index[1]
            size = batch[name].num_nodes
            batch[name].degree = torch.bincount(index, minlength=size).clamp(min=1)
        x_dict, part = inputs_of(batch)
    return read(model, model(x_dict, part), *triplets(batch)[:2])


def read(model: LGMRec, out, user: Tensor, item: Tensor) -> list[Tensor]:
    rows = [out.user.select(user), out.item.select(item)]
    parts = [y for x in rows for y in (x.collaborative, *x.modality)]
    function = sum((x * torch.linspace(-1, 1, 8)).sum() for x in parts)
    tables = [model.user_embedding.weight, model.item_embedding.weight]
    grads = torch.autograd.grad(function, tables)
    return [x.detach() for x in parts] + [x.to_dense() for x in grads]


@pytest.mark.parametrize('biased', [False, True])
def test_embeddings_and_gradients_are_unbiased(biased: bool) -> None:
    data = graph()
    model = build(data, shared_ids=True)
    torch.manual_seed(0)
    for table in (model.user_embedding, model.item_embedding):
        torch.nn.init.uniform_(table.weight)
    pos, neg = torch.tensor([0, 1, 3, 4]), torch.tensor([5, 6, 7, 8])
    user = data[INTERACTS].edge_index[0].unique()[:4]
    expected = read(model, model(*inputs_of(data)), user, pos)
    sampler, values = SubgraphSampler(data, [3, 2]), []
    for _ in range(300):
        values.append(statistics(model, sampler.sample(user, pos, neg), biased))
    scores = []
    for i, value in enumerate(expected):
        mean, error = moments([x[i] for x in values])
        random = error > 1e-9
        assert random.any()
        scores.append(((mean - value).abs() / error)[random].max())
    # Of hundreds of entries, some are four errors off; by degrees of the part, many.
    assert (float(max(scores)) < 5.5) is not biased


@needs_torch_sparse
def test_batches_of_pyg_are_unbiased() -> None:
    data = graph()
    model = build(data, shared_ids=True, parts=('collaborative', 'modality'))
    user_emb, item_emb = (x.detach() for x in _collaborative(model, inputs_of(data)))
    totals = [torch.zeros_like(user_emb), torch.zeros_like(item_emb)]
    squares = [torch.zeros_like(x) for x in totals]
    counts = [torch.zeros(len(x), 1) for x in totals]
    torch.manual_seed(0)
    for _ in range(25):
        for batch in pyg_loader(data, [3, 2], batch_size=16, replace=True):
            found = _collaborative(model, inputs_of(batch))
            for i, name in enumerate(('user', 'item')):
                rows = batch[name].n_id[: len(found[i])]
                totals[i].index_add_(0, rows, found[i].detach())
                squares[i].index_add_(0, rows, found[i].detach().square())
                counts[i].index_add_(0, rows, torch.ones(len(rows), 1))
    for total, square, count, exact in zip(
        totals, squares, counts, (user_emb, item_emb), strict=True
    ):
        seen = count.view(-1) > 80
        mean = (total / count)[seen]
        error = ((square / count)[seen] - mean.square()).clamp(min=0).sqrt()
        error = error / count[seen].sqrt()
        random = error > 1e-9
        assert random.any()
        assert ((mean - exact[seen]).abs() / error)[random].max() < 5.5


def _collaborative(model: LGMRec, inputs: tuple) -> tuple[Tensor, Tensor]:
    out = model(*inputs)
    return out.user.collaborative, out.item.collaborative


@needs_torch_sparse
@pytest.mark.parametrize('weighted', [False, True])
def test_whole_neighborhoods_of_pyg_are_the_whole_graph(weighted: bool) -> None:
    data = SimilarItems(k=4)(graph())
    model = build(data, dropout=0.0, similar_weight=0.5).eval()
    whole = model(*inputs_of(data))
    if weighted:
        torch.set_default_dtype(torch.double)
        data = DegreeNorm()(data)
        torch.set_default_dtype(torch.float)
    batch = next(pyg_loader(data, [-1] * 4, batch_size=12))
    out = model(*inputs_of(batch))
    for name, part, full in (
        ('user', out.user, whole.user),
        ('item', out.item, whole.item),
    ):
        rows = batch[name].n_id[: len(part.collaborative)]
        full = full.select(rows)
        assert torch.allclose(part.collaborative, full.collaborative, rtol=1e-6)
        for x, y in zip(part.modality, full.modality, strict=True):
            assert torch.allclose(x, y, rtol=1e-5, atol=1e-9)
        for x, y in zip(part.hypergraph, full.hypergraph, strict=True):
            assert torch.allclose(x.membership, y.membership, rtol=1e-5)


@needs_torch_sparse
def test_what_a_batch_lacks_is_named() -> None:
    data = graph()
    model = build(data)
    batch = next(pyg_loader(data, [3, 2], batch_size=4))
    with pytest.raises(ValueError, match=r"'x_dict' needs to hold all .* rows of"):
        model(batch.x_dict, batch.edge_index_dict)
    short = next(pyg_loader(graph(), [3], batch_size=4))
    short['item'].image_degree = short['item'].image_degree + 1
    with pytest.raises(ValueError, match='need to have all of their nodes'):
        model_inputs(short)
    alike = next(pyg_loader(SimilarItems(k=4)(graph()), [3, 2], batch_size=4))
    alike['item'].similar_image_degree = alike['item'].similar_image_degree + 1
    with pytest.raises(ValueError, match='all of the items similar to them'):
        model_inputs(alike)
    del batch['user'].degree
    with pytest.raises(ValueError, match="transform the graph by 'ForSampling'"):
        model_inputs(batch)
    del batch['user'].n_id
    with pytest.raises(ValueError, match="needs 'n_id' of users and items"):
        model_inputs(next(_without(pyg_loader(graph(), [3, 2], batch_size=4))))
    del batch['item'].n_id
    with pytest.raises(ValueError, match="A part of it needs 'n_id' of both"):
        model(*model_inputs(batch))
    with pytest.raises(ValueError, match='needs triplets to train on'):
        triplets(data)


def _without(batches):
    for batch in batches:
        del batch['item'].n_id
        yield batch


def test_seeds_come_with_all_items_similar_to_them() -> None:
    data = SimilarItems(k=4)(graph())
    batch = next(iter(SubgraphSampler(data, [2], batch_size=2)))
    seeds, n_id = batch['item'].seed_probability.numel(), batch['item'].n_id
    for name in ('image', 'text'):
        whole, part = data[similar(name)], batch[similar(name)]
        expected = {
            (int(a), int(b)): float(w)
            for a, b, w in zip(*whole.edge_index, whole.edge_weight, strict=True)
            if int(b) in set(n_id[:seeds].tolist())
        }
        pairs = zip(*n_id[part.edge_index], part.edge_weight, strict=True)
        assert {(int(a), int(b)): float(w) for a, b, w in pairs} == expected


def test_parts_have_the_features_of_their_items_alone() -> None:
    data = graph()
    batch = next(iter(SubgraphSampler(data, [2], batch_size=2)))
    assert batch['user'].num_nodes < 30
    assert batch['item'].num_nodes < 25
    for name in ('image', 'text'):
        node, item = batch[name, 'describes', 'item'].edge_index
        whole_node, whole_item = data[name, 'describes', 'item'].edge_index
        pairs = set(zip(whole_node.tolist(), whole_item.tolist(), strict=True))
        n_id, items = batch[name].n_id, batch['item'].n_id
        found = {(int(n_id[a]), int(items[b])) for a, b in zip(node, item, strict=True)}
        held = {x for x in pairs if x[1] in set(items.tolist())}
        assert found == held
        assert batch[name].x.equal(data[name].x[n_id])
    with pytest.raises(ValueError, match="'num_neighbors' needs to hold positive"):
        SubgraphSampler(data, [3, 0])


@pytest.mark.parametrize('num_pairs', [800, 1200, 50_000, 10**6, 10**9])
@pytest.mark.parametrize('num_drawn', [1, 256, 2048, 20_000])
def test_probability_of_seeds_has_all_digits(num_pairs: int, num_drawn: int) -> None:
    num_drawn = min(num_drawn, num_pairs // 2)
    degree = torch.tensor([0, 1, 2, 3, 10, 300, 20_000]).clamp(max=num_pairs // 2)
    found = seed_probability(degree, num_pairs, num_drawn, 10, 0)
    left = num_pairs - torch.arange(int(degree.max()), dtype=torch.double)
    log_miss = torch.log1p(-num_drawn / left).cumsum(0)  # By one pair after another.
    expected = -torch.expm1(torch.cat([log_miss.new_zeros(1), log_miss])[degree])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_a_part_that_failed_leaves_nothing_behind() -> None:
    sampler = SubgraphSampler(graph(), [2], batch_size=20)
    triplet = torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([3, 4])
    with pytest.raises(IndexError):
        sampler.sample(torch.tensor([5, 6]), triplet[1], torch.tensor([3, 99]))
    out = []
    for drawn in (sampler, SubgraphSampler(graph(), [2], batch_size=20)):
        torch.manual_seed(0)
        out.append(drawn.sample(*triplet))
    for name in ('user', 'item'):
        assert torch.equal(out[0][name].n_id, out[1][name].n_id)
        assert torch.equal(out[0][name].seed_probability, out[1][name].seed_probability)


def test_a_generator_draws_the_same_parts():
    data, parts = irregular_graph(num_users=30, num_items=25), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(0)
        sampler = SubgraphSampler(data, [2, 2], batch_size=8, generator=generator)
        parts.append(list(sampler))
    for a, b in zip(*parts, strict=True):
        assert all(torch.equal(a[x].n_id, b[x].n_id) for x in ('user', 'item'))
        for edge_type in a.edge_types:
            assert torch.equal(a[edge_type].edge_index, b[edge_type].edge_index)


def a_part(**kwargs):
    r"""A model, and a part of a graph."""
    data = irregular_graph(num_users=30, num_items=25)
    model = LGMRec.from_data(data, embedding_dim=8, **kwargs).double().eval()
    torch.manual_seed(0)
    seeds = torch.tensor([[0, 1, 3], [0, 1, 3], [5, 6, 7]])
    return model, SubgraphSampler(data, [3, 2, 2], batch_size=8).sample(*seeds)


@pytest.mark.parametrize('loss', ['bpr', 'softmax'])
def test_terms_weigh_the_seeds_of_a_part(loss):
    model, batch = a_part(ranking_loss=loss)
    out, index = model(*model_inputs(batch)), triplets(batch)
    ones = {x: torch.ones_like(getattr(out, x)) for x in ('user_weight', 'item_weight')}
    assert float(out.user_weight.max()) > 1.5
    losses, flat = model.loss(out, *index), model.loss(out._replace(**ones), *index)
    assert not torch.allclose(losses.contrast, flat.contrast)
    # One triplet after the other needs no weights, a softmax over a sample does.
    assert torch.allclose(losses.ranking, flat.ranking) == (loss == 'bpr')


def test_hyperedges_weigh_the_items_of_a_part():
    model, batch = a_part()
    x_dict, graph = model_inputs(batch)
    item = graph.nodes['item']
    flat = graph.nodes | {'item': item._replace(weight=torch.ones_like(item.weight))}
    out, other = model(x_dict, graph), model(x_dict, graph._replace(nodes=flat))
    assert torch.equal(out.item.collaborative, other.item.collaborative)
    for x, y in zip(out.user.hypergraph, other.user.hypergraph, strict=True):
        assert not torch.allclose(x.dense(), y.dense())
