import pytest
import torch

from lgmrec_pyg.ops import CSR, EdgePattern, sddmm, spmm

# Rows 0 and 3 are empty, and column 1.
DENSE = torch.tensor(
    [[0.0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
)
ENTRIES = (DENSE != 0).nonzero(as_tuple=True)
INDICES = (torch.int64, torch.int32)


def pattern(index: torch.dtype = torch.int64) -> EdgePattern:
    csr = DENSE.to_sparse_csr()
    rows = csr.crow_indices().to(index), csr.col_indices().to(index)
    return EdgePattern.from_csr(CSR(*rows, None, (5, 4)))


def test_hand_computed() -> None:
    x = torch.tensor([[9.0, 9], [1, 2], [3, 4], [9, 9], [5, 6]])
    y = torch.tensor([[1.0, 0], [9, 9], [0, 1], [1, 1]])
    out = sddmm(pattern(), x, y)
    assert out.tolist() == [1, 2, 4, 5, 11]
    # Every entry of the opposite direction, and where it comes from.
    edges = pattern().t()
    assert edges.size == (4, 5)
    assert sddmm(edges, y, x).tolist() == [1, 5, 2, 4, 11]
    assert out[pattern().perm_t].tolist() == sddmm(edges, y, x).tolist()
    assert sddmm(edges, y, x)[pattern().perm].tolist() == out.tolist()


@pytest.mark.parametrize('index', INDICES)
@pytest.mark.parametrize('width', [1, 3, 16, 65])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_equal_to_dense(width: int, dtype: torch.dtype, index: torch.dtype) -> None:
    x = torch.randn(5, width, dtype=dtype, requires_grad=True)
    y = torch.randn(4, width, dtype=dtype, requires_grad=True)
    weight = torch.randn(5, dtype=dtype, requires_grad=True)
    grad, grad_out = torch.randn(5, dtype=dtype), torch.randn(5, width, dtype=dtype)
    edges, inputs = pattern(index), (x, y)
    out, expected = sddmm(edges, x, y), (x @ y.t())[ENTRIES]
    assert torch.allclose(out, expected, atol=1e-5)
    for found, truth in zip(
        torch.autograd.grad(out, inputs, grad),
        torch.autograd.grad(expected, inputs, grad),
        strict=True,
    ):
        assert torch.allclose(found, truth, atol=1e-5)
    matrix = torch.zeros(5, 4, dtype=dtype).index_put(ENTRIES, weight)
    out, expected = spmm(edges, y, weight), matrix @ y
    assert torch.allclose(out, expected, atol=1e-5)
    for found, truth in zip(
        torch.autograd.grad(out, (weight, y), grad_out),
        torch.autograd.grad(expected, (weight, y), grad_out),
        strict=True,
    ):
        assert torch.allclose(found, truth, atol=1e-5)


def test_gradients_of_gradients() -> None:
    x, y = (torch.randn(n, 3).double().requires_grad_() for n in (5, 4))
    weight = torch.randn(5).double().requires_grad_()
    edges = pattern()
    assert torch.autograd.gradcheck(lambda *z: sddmm(edges, *z), (x, y))
    assert torch.autograd.gradgradcheck(lambda *z: sddmm(edges, *z), (x, y))
    assert torch.autograd.gradgradcheck(
        lambda w, z: spmm(edges, z, w), (weight, y), atol=1e-4
    )


def test_weights_without_gradients_and_without_weights() -> None:
    edges, y = pattern(), torch.randn(4, 3, requires_grad=True)
    for weight, matrix in ((None, DENSE), (torch.full((5,), 2.0), 2 * DENSE)):
        out = spmm(edges, y, weight)
        assert torch.allclose(out, matrix @ y)
        (grad,) = torch.autograd.grad(out.sum(), y)
        assert torch.allclose(grad, matrix.sum(0).view(-1, 1).expand(4, 3))


def test_without_edges_and_without_columns() -> None:
    edges = EdgePattern.from_csr(
        CSR(torch.zeros(4, dtype=torch.long), torch.empty(0).long(), None, (3, 2))
    )
    x, y = torch.ones(3, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)
    out = sddmm(edges, x, y)
    assert out.size() == (0,)
    grads = torch.autograd.grad(out.sum(), (x, y))
    assert all(not grad.any() for grad in grads)
    assert spmm(edges, y, out).tolist() == [[0.0, 0.0]] * 3
    assert sddmm(pattern(), torch.ones(5, 0), torch.ones(4, 0)).tolist() == [0.0] * 5


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    x, y = (torch.randn(n, 64).to(dtype).requires_grad_() for n in (5, 4))
    out = sddmm(pattern(), x, y)
    assert out.dtype == dtype
    expected = (x.float() @ y.float().t())[ENTRIES]
    assert torch.allclose(out.float(), expected, atol=0.1, rtol=0.01)
    for grad in torch.autograd.grad(out.sum(), (x, y)):
        assert grad.dtype == dtype
    weight = torch.ones(5, requires_grad=True)  # In single precision.
    (grad,) = torch.autograd.grad(spmm(pattern(), y, weight).sum(), weight)
    assert grad.dtype == torch.float32


def test_derivatives_in_forward_mode() -> None:
    edges, inputs = pattern(), (torch.randn(4, 3), torch.randn(5))
    tangents = torch.randn(4, 3), torch.randn(5)
    out, found = torch.func.jvp(lambda y, w: spmm(edges, y, w), inputs, tangents)
    matrix, change = (
        torch.zeros(5, 4).index_put(ENTRIES, z) for z in (inputs[1], tangents[1])
    )
    assert torch.allclose(out, matrix @ inputs[0], atol=1e-6)
    assert torch.allclose(found, matrix @ tangents[0] + change @ inputs[0], atol=1e-6)


def test_they_are_operators_of_pytorch() -> None:
    x, y = (torch.randn(n, 3, requires_grad=True) for n in (5, 4))
    weight = torch.randn(5, requires_grad=True)
    torch.library.opcheck(torch.ops.lgmrec_pyg.sddmm, (x, y, *pattern()))
    torch.library.opcheck(torch.ops.lgmrec_pyg.valued_spmm, (weight, y, *pattern()))


def test_attention_compiles_in_one_graph() -> None:
    edges = pattern()

    def f(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return spmm(edges, y, sddmm(edges, x, y).exp()).square().sum()

    results = []
    for call in (f, torch.compile(f, fullgraph=True, backend='aot_eager')):
        x, y = (torch.linspace(0, 1, 2 * n).view(n, 2).requires_grad_() for n in (5, 4))
        out = call(x, y)
        results.append((out, *torch.autograd.grad(out, (x, y))))
    assert all(torch.allclose(a, b) for a, b in zip(*results, strict=True))


def test_errors() -> None:
    x, y = torch.ones(5, 2), torch.ones(4, 2)
    with pytest.raises(ValueError, match=r"'x' needs to be of shape \(5, 2\)"):
        sddmm(pattern(), y, y)
    with pytest.raises(ValueError, match=r"'y' needs to be of shape \(4, 2\)"):
        sddmm(pattern(), x, torch.ones(4, 3))
    with pytest.raises(ValueError, match=r'5 edges need one weight each \(got .*4'):
        spmm(pattern(), y, torch.ones(4))
    with pytest.raises(ValueError, match=r'index needs to lie in \[0, 3\]'):
        EdgePattern.from_csr(CSR(torch.tensor([0, 1]), torch.tensor([4]), None, (1, 4)))
