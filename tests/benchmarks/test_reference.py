from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import HeteroData

from benchmarks.reference import PlainLGMRec
from benchmarks.reference_loop import PlainEvaluator, PlainSampler
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, describes, model_inputs
from lgmrec_pyg.nn import LGMRec

NUM_USERS, NUM_ITEMS = 23, 17
OPTIONS = [
    {},
    {'num_hyperedges': 1, 'alpha': 0.7},
    {'num_hyperedges': 9, 'num_hypergraph_layers': 2, 'temperature': 0.5},
    {'num_collaborative_layers': 3, 'num_modality_layers': 1},
]


def make_graph(modalities: int) -> tuple[HeteroData, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    # The last user and the last item have no training pair.
    dense = torch.rand(NUM_USERS - 1, NUM_ITEMS - 1, generator=generator) < 0.3
    pairs = dense.nonzero().t().contiguous()
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = NUM_USERS, NUM_ITEMS
    data[INTERACTS].edge_index = pairs
    index = torch.arange(NUM_ITEMS)
    for i in range(modalities):
        x = torch.randn(NUM_ITEMS, 6 + i, generator=generator, dtype=torch.double)
        data[f'm{i}'].x = x
        data[describes(f'm{i}')].edge_index = torch.stack([index, index])
    return data, pairs


def make_sides(data, pairs, **options) -> SimpleNamespace:
    torch.manual_seed(0)
    library = LGMRec.from_data(data, embedding_dim=8, **options).double()
    features = dict(data.x_dict)
    reference = PlainLGMRec(
        pairs, NUM_USERS, NUM_ITEMS, features, embedding_dim=8, **options
    ).double()
    reference.load_weights(library)
    return SimpleNamespace(library=library.eval(), reference=reference.eval())


@pytest.fixture(autouse=True)
def double_precision():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('modalities', [1, 2, 3])
def test_reference_equals_library(options, modalities):
    data, pairs = make_graph(modalities)
    sides = make_sides(data, pairs, **options)
    inputs = model_inputs(data)
    out, _ = sides.reference()
    for actual, expected in zip(
        sides.library.embed(*inputs),
        out.split([NUM_USERS, NUM_ITEMS]),
        strict=True,
    ):
        assert torch.allclose(actual, expected, rtol=0, atol=1e-10)

    # The batch repeats pairs.
    user, pos = pairs[:, torch.tensor([0, 5, 5, 9, 30])]
    neg = torch.tensor([3, 1, 4, 1, 5])
    actual = sides.library.loss(sides.library(*inputs), user, pos, neg)
    expected = sides.reference.loss(user, pos, neg)
    for name, value in expected.items():
        assert torch.allclose(getattr(actual, name), value, rtol=1e-10, atol=1e-10)

    actual.total.backward()
    expected['total'].backward()
    # Loading copies parameters; loading gradients the same way compares them.
    for side in (sides.library, sides.reference):
        for parameter in side.parameters():
            parameter.data = parameter.grad
    gradients = make_sides(data, pairs, **options).reference
    gradients.load_weights(sides.library)
    for name, gradient in gradients.named_parameters():
        expected_gradient = sides.reference.get_parameter(name)
        assert torch.allclose(gradient, expected_gradient, rtol=1e-8, atol=1e-10), name
        single = name.startswith('hyperedges') and gradient.size(1) == 1
        assert single or expected_gradient.abs().max() > 1e-8, name


def test_reference_training_mode_is_noisy():
    data, pairs = make_graph(2)
    model = make_sides(data, pairs).reference.train()
    assert not model()[0].equal(model()[0])


def test_sampler_covers_pairs_and_draws_true_negatives():
    _, pairs = make_graph(1)
    positives = set(map(tuple, pairs.t().tolist()))
    batches = list(PlainSampler(pairs, batch_size=10))
    user, pos, neg = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert set(zip(user.tolist(), pos.tolist(), strict=True)) == positives
    assert user.numel() == len(positives)
    assert not positives & set(zip(user.tolist(), neg.tolist(), strict=True))
    assert all(batch[0].numel() == 10 for batch in batches[:-1])


def test_evaluator_equals_library():
    data, pairs = make_graph(2)
    sides = make_sides(data, pairs)
    known = torch.zeros(NUM_USERS, NUM_ITEMS, dtype=torch.bool)
    known[tuple(pairs)] = True
    label = (~known & (torch.rand(NUM_USERS, NUM_ITEMS) < 0.2)).nonzero().t()
    inputs = model_inputs(data)
    with torch.no_grad():
        embeddings = sides.library.embed(*inputs)
    expected = Evaluator(label, pairs, NUM_USERS, NUM_ITEMS, ks=(5, 10))(*embeddings)
    actual = PlainEvaluator(label, pairs, batch_size=7, ks=(5, 10))(sides.reference)
    assert actual == pytest.approx(expected, abs=1e-6)
