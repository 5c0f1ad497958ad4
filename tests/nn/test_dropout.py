import math

import pytest
import torch
import torch.nn.functional as F

from lgmrec_pyg.nn.dropout import Dropout, dropout


@pytest.mark.parametrize('p', [0.1, 0.3, 0.8])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_keeps_so_many_and_scales_them(p: float, dtype: torch.dtype) -> None:
    x = torch.ones(400, 250, dtype=dtype, requires_grad=True)
    out = dropout(x, p)
    assert out.dtype == dtype
    assert torch.equal(out.unique(), torch.tensor([0, 1 / (1 - p)], dtype=dtype))
    error = float((out != 0).double().mean()) - (1 - p)
    assert abs(error) < 5 * math.sqrt(p * (1 - p) / x.numel())
    # Rows and columns are independent: no line has many more than others.
    for dim, length in ((0, 400), (1, 250)):
        share = (out != 0).double().mean(dim)
        assert (share - (1 - p)).abs().max() < 5 * math.sqrt(p * (1 - p) / length)
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(grad, out)


def test_draws_are_those_of_the_seed() -> None:
    x, out = torch.ones(99), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        out.append((dropout(x, 0.5), Dropout(0.5)(x)))
    assert torch.equal(torch.stack(out[0]), torch.stack(out[1]))
    assert not torch.equal(*out[0])
    assert not torch.equal(out[0][0], out[2][0])


def test_the_ends_are_those_of_pytorch() -> None:
    x = torch.randn(9)
    assert torch.equal(dropout(x, 0.5, training=False), x)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    for p in (0.0, 1.0):
        assert torch.equal(dropout(x, p), F.dropout(x, p))
    with pytest.raises(ValueError, match='between 0 and 1'):
        dropout(x, 1.5)
