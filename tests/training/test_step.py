import copy

import pytest
import torch
from graphs import inputs_of, irregular_graph

from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.training import TrainingStep
from lgmrec_pyg.training.experimental import CapturedStep

BATCH = torch.tensor([[0, 0, 1, 4, 10], [0, 1, 3, 5, 0], [5, 7, 8, 2, 6]])


def build(device: str = 'cpu') -> tuple[LGMRec, tuple]:
    data = irregular_graph(dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8, dropout=0.0, noise=None)
    inputs = inputs_of(data.to(device), 'csr', torch.float32)
    return model.to(device), inputs


def test_step_is_plain_gradient_descent() -> None:
    model, inputs = build()
    expected = copy.deepcopy(model)
    losses = expected.loss(expected(*inputs), *BATCH)
    losses.total.backward()
    step = TrainingStep(model, inputs, torch.optim.SGD(model.parameters(), lr=0.5))
    for _ in range(2):  # Gradients of earlier steps do not add up.
        out = step(*BATCH)
        assert not out.total.requires_grad
        if _ == 0:
            assert torch.equal(out.total, losses.total)
            for p, q in zip(model.parameters(), expected.parameters(), strict=True):
                assert torch.allclose(p, q - 0.5 * q.grad)
                q.data.copy_(p.data)
            expected.zero_grad()
            losses = expected.loss(expected(*inputs), *BATCH)
            losses.total.backward()
        else:
            for p, q in zip(model.parameters(), expected.parameters(), strict=True):
                assert torch.allclose(p, q - 0.5 * q.grad)


def test_gradients_are_clipped() -> None:
    model, inputs = build()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    TrainingStep(model, inputs, optimizer, max_grad_norm=1e-3)(*BATCH)
    changes = [
        (p.detach() - q).norm() for p, q in zip(model.parameters(), before, strict=True)
    ]
    assert float(torch.stack(changes).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_gradients_of_weights_that_are_not_optimized_do_not_add_up() -> None:
    model, inputs = build()
    optimizer = torch.optim.SGD([model.user_embedding.weight], lr=0.0)
    step = TrainingStep(model, inputs, optimizer)
    step(*BATCH)
    expected = model.item_embedding.weight.grad.clone()
    step(*BATCH)
    assert torch.equal(model.item_embedding.weight.grad, expected)


def test_capture_needs_a_gpu() -> None:
    model, inputs = build()
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(
        ValueError, match=r"CUDA device .* \(got a parameter on 'cpu'\)"
    ):
        CapturedStep(model, inputs, optimizer)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_captured_steps_equal_eager_ones() -> None:
    model, inputs = build('cuda')
    other = copy.deepcopy(model)
    steps = [
        cls(m, inputs, torch.optim.Adam(m.parameters(), capturable=True))
        for cls, m in ((TrainingStep, model), (CapturedStep, other))
    ]
    batch = BATCH.cuda()
    for i in range(8):
        rolled = batch.roll(i, dims=1)
        sizes = slice(0, 3 if i == 6 else None)  # A smaller batch in between.
        a, b = (step(*rolled[:, sizes]) for step in steps)
        assert torch.allclose(a.total, b.total, rtol=1e-4)
