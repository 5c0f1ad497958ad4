r"""A whole training step in one graph of the compiler, equal to eager."""

import pytest
import torch
from graphs import inputs_of, irregular_graph
from torch._dynamo.testing import CompileCounter

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.nn import LGMRec

TRIPLETS = torch.tensor([[0, 0, 1, 4, 10], [0, 1, 3, 5, 0], [5, 7, 8, 2, 6]])


@pytest.mark.parametrize('kind', ['edge_index', 'edge_index_normalized', 'compressed'])
@pytest.mark.parametrize('ranking_loss', ['bpr', 'softmax'])
def test_step_compiles_in_one_graph(kind: str, ranking_loss: str) -> None:
    data = irregular_graph(2, dtype=torch.float32)
    kwargs = {'embedding_dim': 8, 'num_hyperedges': 3, 'dropout': 0.0, 'noise': None}
    model = LGMRec.from_data(data, ranking_loss=ranking_loss, **kwargs)
    inputs = inputs_of(data, kind, torch.float32)

    def step(*inputs):
        return model.loss(model(*inputs), *TRIPLETS)

    results = []
    for call in (step, torch.compile(step, fullgraph=True, backend='aot_eager')):
        model.zero_grad()
        losses = call(*inputs)
        losses.total.backward()
        results.append([*losses, *(x.grad.clone() for x in model.parameters())])
    for expected, out in zip(*results, strict=True):
        assert torch.allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_training_step_compiles_with_noise_and_dropout() -> None:
    data = irregular_graph(2, dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8, num_hyperedges=3)
    inputs = inputs_of(data, 'compressed', torch.float32)

    def step(*inputs):
        return model.loss(model(*inputs), *TRIPLETS).total

    compiled = torch.compile(step, fullgraph=True)
    first, second = compiled(*inputs), compiled(*inputs)
    assert first != second  # Noise is drawn anew in every step.
    second.backward()
    assert all(x.grad.isfinite().all() for x in model.parameters())


def test_graphs_of_many_sizes_share_what_is_compiled() -> None:
    torch.compiler.reset()
    data = irregular_graph(2, dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8)
    counter = CompileCounter()
    compiled = torch.compile(model, backend=counter)
    pairs = data[INTERACTS].edge_index
    for size in range(12, 22):
        data[INTERACTS].edge_index = pairs[:, :size]
        inputs = inputs_of(data, 'compressed', torch.float32)
        compiled.train()
        compiled(*inputs)
        compiled.eval()
        with torch.no_grad():
            out, expected = compiled(*inputs), model(*inputs)
        torch.testing.assert_close(out.user, expected.user)
    # Training and evaluation, each for one size and for any size.
    assert counter.frame_count == 4
