import pytest
import torch

from lgmrec_pyg.nn import ModalityProjection


def test_values_and_gradients() -> None:
    projection = ModalityProjection(5, 3, num_hyperedges=2).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    out = projection(x)
    weight, hyperedge = projection.weight, projection.hyperedge
    assert torch.allclose(out[:, :3], x @ weight)
    assert torch.allclose(out[:, 3:], x @ hyperedge)
    grad = torch.randn_like(out)
    out.backward(grad)
    assert torch.allclose(weight.grad, x.t() @ grad[:, :3])
    assert torch.allclose(hyperedge.grad, x.t() @ grad[:, 3:])


def test_half_precision_features() -> None:
    projection = ModalityProjection(256, 8, num_hyperedges=4)
    x = torch.nn.functional.normalize(torch.randn(50, 256))
    expected = projection(x)
    out = projection(x.bfloat16())
    assert out.dtype == torch.float32
    assert (out - expected).norm() < 0.01 * expected.norm()
    grad = torch.randn(50, 12)
    (exact,) = torch.autograd.grad(expected, projection.weight, grad)
    (rounded,) = torch.autograd.grad(out, projection.weight, grad)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < 0.01 * exact.norm()


def test_initial_bounds() -> None:
    projection = ModalityProjection(1000, 64, num_hyperedges=4)
    for parameter, width in ((projection.weight, 64), (projection.hyperedge, 4)):
        bound = (6 / (1000 + width)) ** 0.5
        assert 0.98 * bound < parameter.abs().max() <= bound


def test_no_hyperedges() -> None:
    assert ModalityProjection(4, 3)(torch.randn(2, 4)).shape == (2, 3)


def test_errors_and_repr() -> None:
    projection = ModalityProjection(4, 3, num_hyperedges=2)
    assert repr(projection) == 'ModalityProjection(4, 3, num_hyperedges=2)'
    with pytest.raises(ValueError, match=r'needs features with 4 columns \(got 5\)'):
        projection(torch.randn(2, 5))
    with pytest.raises(
        ValueError, match=r"'out_channels' needs to be positive \(got 0\)"
    ):
        ModalityProjection(4, 0)


def test_features_of_other_types_take_that_of_the_weights() -> None:
    projection = ModalityProjection(5, 3, num_hyperedges=2)
    x = torch.randint(1, 9, (4, 5))
    expected = x.float() @ torch.cat([projection.weight, projection.hyperedge], dim=1)
    assert torch.allclose(projection(x), expected)
    assert projection.double()(x.float()).dtype == torch.float64
