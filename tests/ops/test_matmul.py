import pytest
import torch

from lgmrec_pyg.ops import matmul

SHAPES = [(1, 1, 1), (3, 5, 2), (257, 64, 64), (64, 300, 7), (1, 4096, 68), (2, 3, 1)]


def strided(rows: int, cols: int, layout: str) -> torch.Tensor:
    if layout == 'transposed':
        return torch.randn(cols, rows).t()
    if layout == 'sliced':
        return torch.randn(rows, cols + 3)[:, 1 : 1 + cols]
    return torch.randn(rows, cols)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('a_layout', ['plain', 'transposed', 'sliced'])
@pytest.mark.parametrize('b_layout', ['plain', 'transposed', 'sliced'])
def test_equals_double_precision(shape, a_layout, b_layout):
    torch.manual_seed(0)
    m, k, n = shape
    a, b = strided(m, k, a_layout), strided(k, n, b_layout)
    a, b = a.requires_grad_(), b.requires_grad_()
    weight = torch.randn(m, n)
    out = matmul(a, b)
    assert torch.allclose(out.double(), a.double() @ b.double(), atol=1e-3)
    grad_a, grad_b = torch.autograd.grad((out * weight).sum(), (a, b))
    weight = weight.double()
    assert torch.allclose(grad_a.double(), weight @ b.double().t(), atol=1e-3)
    assert torch.allclose(grad_b.double(), a.double().t() @ weight, atol=1e-3)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_other_types_are_multiplied_as_ever(dtype):
    a, b = torch.randn(5, 4).to(dtype), torch.randn(4, 3).to(dtype)
    assert torch.equal(matmul(a, b), a @ b)


@pytest.mark.parametrize('shape', [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_empty(shape):
    m, k, n = shape
    a, b = torch.randn(m, k, requires_grad=True), torch.randn(k, n)
    out = matmul(a, b)
    assert torch.equal(out, torch.zeros(m, n))
    assert torch.autograd.grad(out.sum(), a)[0].size() == (m, k)


def test_batches_of_matrices_are_multiplied_as_ever():
    inputs = torch.randn(2, 5, 4, requires_grad=True), torch.randn(4, 3)
    inputs[1].requires_grad_()
    out, expected = matmul(*inputs), inputs[0] @ inputs[1]
    assert torch.equal(out, expected)
    for x, y in zip(
        *(torch.autograd.grad(z.sum(), inputs) for z in (out, expected)), strict=True
    ):
        assert torch.equal(x, y)


def test_only_the_gradients_asked_for():
    a, b = torch.randn(5, 4), torch.randn(4, 3, requires_grad=True)
    matmul(a, b).sum().backward()
    assert a.grad is None
    assert b.grad is not None


def test_second_derivatives():
    a, b = (torch.randn(s, requires_grad=True) for s in ((5, 4), (4, 3)))
    first = torch.autograd.grad(matmul(a, b).pow(2).sum(), a, create_graph=True)[0]
    expected = torch.autograd.grad((a @ b).pow(2).sum(), a, create_graph=True)[0]
    assert torch.allclose(
        *(torch.autograd.grad(x.pow(2).sum(), b)[0] for x in (first, expected)),
        rtol=1e-4,
    )


def test_shapes_that_do_not_agree():
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        matmul(torch.randn(2, 3), torch.randn(4, 5))


@pytest.mark.parametrize('a_layout', ['plain', 'transposed', 'sliced'])
def test_forward_under_autocast_and_backward_outside(a_layout):
    a, b = strided(6, 4, a_layout), torch.randn(4, 3)
    inputs = a.requires_grad_(), b.requires_grad_()
    with torch.autocast('cpu'):
        out = matmul(*inputs)
    assert out.dtype == torch.bfloat16
    for grad, x in zip(torch.autograd.grad(out.sum(), inputs), inputs, strict=True):
        assert grad.dtype == x.dtype
    out = matmul(*inputs)
    with torch.autocast('cpu'):
        grads = torch.autograd.grad(out.sum(), inputs)
    assert torch.allclose(grads[0], b.sum(1).expand(6, 4), rtol=0.02, atol=0.02)
