import pytest
import torch
from graphs import ADJ_KINDS, inputs_of, irregular_graph
from torch_geometric import EdgeIndex

from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.ops import CSR, Adjacency, choose_kernel, spmm
from lgmrec_pyg.ops._extension import has_extension
from lgmrec_pyg.ops._spmm import KERNELS

CPU_KERNELS = [
    pytest.param(
        kernel,
        marks=pytest.mark.skipif(
            kernel == 'cpp' and not has_extension(), reason='needs the C++ extension'
        ),
    )
    for kernel in KERNELS
]

# Rows 0 and 3 are empty, column 1 is unused, entry (1, 2) has two neighbors.
DENSE = torch.tensor(
    [[0.0, 0, 0, 0], [1, 0, 2, 0], [0, 0, 3, 0], [0, 0, 0, 0], [4, 0, 0, 5]]
)


def csr_tensor(dense: torch.Tensor) -> torch.Tensor:
    return dense.to_sparse_csr()


def test_hand_computed() -> None:
    x = torch.tensor([[1.0, 10], [2, 20], [3, 30], [4, 40]])
    expected = torch.tensor([[0.0, 0], [7, 70], [9, 90], [0, 0], [24, 240]])
    assert torch.equal(spmm(csr_tensor(DENSE), x), expected)


@pytest.mark.parametrize('kernel', CPU_KERNELS)
@pytest.mark.parametrize('width', [1, 2, 7, 8, 29, 64, 65, 255])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_kernels_forward_and_gradient(
    kernel: str, width: int, dtype: torch.dtype
) -> None:
    dense = DENSE.to(dtype)
    x = torch.randn(4, width, dtype=dtype, requires_grad=True)
    grad = torch.randn(5, width, dtype=dtype)
    expected_grad = dense.t() @ grad
    for adj in (csr_tensor(dense), Adjacency.from_adj(csr_tensor(dense))):
        out = spmm(adj, x, kernel=kernel)
        assert torch.allclose(out, dense @ x, atol=1e-6)
        (x_grad,) = torch.autograd.grad(out, x, grad)
        assert torch.allclose(x_grad, expected_grad, atol=1e-6)


@pytest.mark.parametrize('kernel', CPU_KERNELS)
def test_kernels_without_values_and_without_edges(kernel: str) -> None:
    index = torch.tensor([[0, 2, 2], [1, 1, 0]])  # (source, destination)
    x = torch.tensor([[1.0], [2], [4]])
    out = spmm(index, x, size=(2, 3), kernel=kernel)
    assert out.tolist() == [[4.0], [5.0]]
    out = spmm(index[:, :0], x, size=(2, 3), kernel=kernel)
    assert out.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    x = torch.randn(4, 64).to(dtype)
    out = spmm(csr_tensor(DENSE), x)
    assert out.dtype == dtype
    assert torch.allclose(out.float(), DENSE @ x.float(), atol=0.05, rtol=0.01)


@pytest.mark.parametrize('kind', [kind for kind in ADJ_KINDS if kind != 'compressed'])
@pytest.mark.parametrize('norm', ['sym', 'mean', None])
def test_adjacency_kinds(kind: str, norm: str | None) -> None:
    _, adj_dict, *weights = inputs_of(irregular_graph(), kind)
    weight = weights[0][INTERACTS] if weights else None
    size = (9, 11)
    adj = Adjacency.from_adj(adj_dict[INTERACTS], weight, size, norm, torch.float64)

    edges = torch.zeros(size, dtype=torch.float64)
    edges[tuple(irregular_graph()[INTERACTS].edge_index.flip(0))] = 1
    by_item, by_user = edges.sum(1, keepdim=True), edges.sum(0)
    if kind not in ('sparse_tensor', 'edge_index') or norm == 'sym':  # Has weights.
        expected = edges * (by_item.clamp(min=1) * by_user.clamp(min=1)).rsqrt()
    else:
        expected = edges / by_item.clamp(min=1) if norm == 'mean' else edges
    assert torch.allclose(dense(adj.csr), expected)
    assert torch.allclose(dense(adj.csr_t), expected.t())
    assert torch.equal(dense(adj.unweighted().csr_t), edges.t())
    assert adj.degree.tolist() == by_item.flatten().tolist()
    assert (adj.size, adj.t().size) == (size, size[::-1])

    x = torch.randn(11, 5, dtype=torch.float64, requires_grad=True)
    out = spmm(adj, x)
    assert torch.allclose(out, expected @ x)
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert torch.allclose(grad, expected.t().sum(1, keepdim=True).expand(-1, 5))


def dense(csr: CSR) -> torch.Tensor:
    out = torch.zeros(csr.size, dtype=torch.float64)
    out[csr.row, csr.col] = 1.0 if csr.value is None else csr.value
    return out


def test_weights_that_require_gradients() -> None:
    index = torch.tensor([[0, 2, 2, 1], [1, 1, 0, 1]])
    weight = torch.randn(4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: spmm(index, x, w, size=(2, 3)), (x, weight)
    )


def test_gradcheck() -> None:
    adj = csr_tensor(DENSE.double())
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: spmm(adj, x), x)


def test_choice() -> None:
    built = has_extension()
    x = torch.randn(3, 64)
    assert choose_kernel(x) == 'embedding_bag'
    assert choose_kernel(x[:, :4]) == ('cpp' if built else 'embedding_bag')
    assert choose_kernel(x.double()) == ('cpp' if built else 'sparse_reduce')
    assert choose_kernel(x.bfloat16()) == 'embedding_bag'


def test_errors() -> None:
    x = torch.randn(4, 2)
    adj = csr_tensor(DENSE)
    with pytest.raises(ValueError, match=r"'kernel' needs to be 'auto' or .* 'magic'"):
        spmm(adj, x, kernel='magic')
    with pytest.raises(ValueError, match=r"'x' needs to be of shape \(4, \*\)"):
        spmm(adj, x[:3])
    with pytest.raises(ValueError, match="'size' is required"):
        spmm(torch.tensor([[0], [1]]), x)
    with pytest.raises(ValueError, match="'weight' needs to be None"):
        spmm(adj, x, torch.ones(5))


def test_indices_out_of_range_are_refused() -> None:
    index = torch.tensor([[0, 1, 2], [0, 1, 5]])
    with pytest.raises(ValueError, match=r'row index needs to lie in \[0, 2\]'):
        spmm(index, torch.ones(3, 2), size=(3, 3))
    with pytest.raises(ValueError, match=r'column index needs to lie in \[0, 2\]'):
        spmm(index.flip(0), torch.ones(3, 2), size=(3, 3))


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('width', [3, 64])
def test_is_an_operator_of_pytorch(weighted: bool, width: int) -> None:
    adj = Adjacency.from_adj(csr_tensor(DENSE))
    adj = adj if weighted else adj.unweighted()
    x = torch.randn(4, width, requires_grad=True)
    arguments = (x, *adj.csr[:3], *adj.csr_t[:3], 'auto')
    torch.library.opcheck(torch.ops.lgmrec_pyg.spmm, arguments)


def test_compiles_in_one_graph_from_an_edge_index() -> None:
    def f(index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return spmm(index, x, size=(5, 4)).square().sum()

    index = DENSE.nonzero().t().flip(0)
    results = []
    for call in (f, torch.compile(f, fullgraph=True, backend='aot_eager')):
        x = torch.arange(8.0).view(4, 2).requires_grad_()
        out = call(index, x)
        results.append((out, *torch.autograd.grad(out, x)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize('kernel', CPU_KERNELS)
def test_32_bit_indices(kernel: str) -> None:
    csr = csr_tensor(DENSE)
    index = csr.crow_indices().int(), csr.col_indices().int()
    adj = torch.sparse_csr_tensor(*index, csr.values(), csr.size())
    x = torch.randn(4, 8)
    assert torch.allclose(spmm(adj, x, kernel=kernel), DENSE @ x)


@pytest.mark.parametrize('sparse_size', [None, (3, 3)])
@pytest.mark.parametrize('pair', [(2, 50000), (50000, 2), (2, -1)])
def test_a_sorted_edge_index_out_of_range_is_refused(pair, sparse_size) -> None:
    src, dst = [0, 1, pair[0]], [0, 1, pair[1]]
    index = torch.tensor([src, dst])[:, torch.tensor(dst).sort().indices]
    edge_index = EdgeIndex(index, sparse_size=sparse_size, sort_order='col')
    for x in (torch.ones(3, 2), torch.ones(3, 2, requires_grad=True)):
        with pytest.raises(ValueError, match=r'index needs to lie in \[0, 2\]'):
            spmm(edge_index, x, size=(3, 3))


@pytest.mark.parametrize('kernel', CPU_KERNELS)
def test_derivatives_in_forward_mode(kernel: str) -> None:
    x, tangent = torch.randn(2, 4, 3, dtype=torch.float64)
    adj = Adjacency.from_adj(csr_tensor(DENSE.double()))
    out, found = torch.func.jvp(lambda v: spmm(adj, v, kernel=kernel), (x,), (tangent,))
    assert torch.allclose(out, DENSE.double() @ x)
    assert torch.allclose(found, DENSE.double() @ tangent)


def test_learned_weights_follow_the_type_of_features() -> None:
    index, weight = torch.tensor([[0, 1], [1, 0]]), torch.ones(2, requires_grad=True)
    x = torch.ones(2, 3, dtype=torch.bfloat16)
    assert spmm(index, x, weight, (2, 2)).dtype == torch.bfloat16
