r"""The contract of PyTorch with its operators: schema, fake tensors, gradients."""

import pytest
import torch
from torch.library import opcheck

import lgmrec_pyg.nn
from lgmrec_pyg.ops import has_extension

NEEDS_EXTENSION = pytest.mark.skipif(
    not has_extension(), reason='needs the C++ extension'
)
OPERATORS = torch.ops.lgmrec_pyg


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('backend', ['chunked', 'fused'])
@pytest.mark.parametrize('k', [4, 20])
def test_infonce(dtype, backend, k):
    if backend == 'fused' and (dtype != torch.float32 or not has_extension()):
        pytest.skip('needs single precision and the C++ extension')
    anchors, keys = (torch.randn(n, k, dtype=dtype) / 9 for n in (5, 12))
    inputs = anchors.requires_grad_(), keys.requires_grad_()
    tolerance = {'rtol': 1e-4, 'atol': 1e-5} if dtype == torch.float32 else {}
    opcheck(OPERATORS.infonce, (*inputs, 5.0, backend), **tolerance)
    opcheck(OPERATORS.infonce, (anchors.detach().t().contiguous().t(), keys, 5.0))


@NEEDS_EXTENSION
@pytest.mark.parametrize('noise', [None, 'gumbel', 'logistic'])
def test_membership(noise):
    logits = torch.randn(7, 3, requires_grad=True)
    opcheck(OPERATORS.membership, (logits, torch.tensor(2**60), 0.2, noise, 0.5))


@NEEDS_EXTENSION
@pytest.mark.parametrize('value', [None, torch.rand(3)])
def test_csr_matmul(value):
    rowptr, col = torch.tensor([0, 2, 2, 3]), torch.tensor([1, 0, 1])
    opcheck(OPERATORS.csr_matmul, (rowptr, col, value, torch.randn(2, 5)))
    index = rowptr.int(), col.int()
    opcheck(OPERATORS.csr_matmul, (*index, None, torch.randn(5, 2).double().t()[:2]))


@NEEDS_EXTENSION
def test_topk():
    inputs = torch.randn(5, 8), torch.randn(8, 9).t()
    opcheck(OPERATORS.topk, (*inputs, 3))
    rowptr, col = torch.arange(6), torch.tensor([0, 8, 3, 3, 1])
    opcheck(OPERATORS.topk, (*inputs, 3, rowptr, col))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_project_frozen(dtype):
    x, weight = torch.randn(7, 5).to(dtype), torch.randn(5, 3, requires_grad=True)
    opcheck(OPERATORS.project_frozen, (x, weight), rtol=1e-4, atol=1e-5)


def test_they_compute_as_ever_under_autocast():
    projection = lgmrec_pyg.nn.ModalityProjection(5, 3)
    x = torch.randn(7, 5)
    expected = projection(x)
    with torch.autocast('cpu'):
        out = projection(x)
        assert projection(x.bfloat16()).dtype == torch.float32
    assert torch.equal(out, expected)
    out.sum().backward()
    assert torch.allclose(projection.weight.grad, x.sum(0).view(5, 1).expand(5, 3))
    if has_extension():
        args = torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1)
        with torch.autocast('cpu'):
            out = OPERATORS.csr_matmul(*args, torch.ones(1, 2).bfloat16())
        assert out.dtype == torch.float32
