r"""What ``test_triton.py`` runs: ``python triton_checks.py CHECK DEVICE``."""

import sys
from itertools import product

import torch

from benchmarks.triton_spmm import triton_spmm
from lgmrec_pyg.ops import infonce, to_csr, unit_rows
from lgmrec_pyg.ops.experimental import triton_infonce


def check_spmm(device: str) -> None:
    for width, weighted, dtype in product(
        [1, 4, 64, 65, 200], [True, False], [torch.float32, torch.bfloat16]
    ):
        dense = (torch.rand(23, 17) < 0.3) * torch.randn(23, 17)
        dense[3], dense[-1], dense[5] = 0, 0, 1  # Empty rows and a full one.
        csr = to_csr(dense.to(device).to_sparse_csr())
        if not weighted:
            csr, dense = csr._replace(value=None), (dense != 0).float()
        x = torch.randn(17, width).to(dtype)
        out = triton_spmm(csr, x.to(device)).cpu()
        assert out.dtype == dtype
        expected = dense.double() @ x.double()
        tolerance = 1e-5 if dtype == torch.float32 else 0.02
        assert torch.allclose(out.double(), expected, rtol=tolerance, atol=tolerance)


def check_infonce(device: str) -> None:
    for k, (b, n) in product([1, 3, 4, 16, 64], [(1, 1), (33, 70), (64, 65)]):
        anchors, keys = unit_rows(torch.randn(b, k)) / 0.2, unit_rows(torch.randn(n, k))
        sums, *grads = triton_infonce(anchors.to(device), keys.to(device), 5.0)
        inputs = [x.double().requires_grad_() for x in (anchors, keys)]
        exp = (inputs[0] @ inputs[1].t() - 5).exp().sum(dim=1)
        assert torch.allclose(sums.cpu().double(), exp, rtol=1e-5)
        expected = torch.autograd.grad(exp.log().sum(), inputs)
        for grad, expected_grad in zip(grads, expected, strict=True):
            assert torch.allclose(
                grad.cpu().double(), expected_grad, rtol=1e-4, atol=1e-5
            )


def check_gradients(device: str) -> None:
    keys = unit_rows(torch.randn(40, 4, device=device)).requires_grad_()
    index = torch.tensor([3, 3, 0, 39], device=device)
    grads = []
    for backend in ('triton', 'plain'):
        loss = infonce(keys[index], keys, index, 0.2, backend)
        grads.append(torch.autograd.grad(2 * loss, keys)[0].cpu())
    assert torch.allclose(*grads, rtol=1e-4, atol=1e-5)


if __name__ == '__main__':
    torch.manual_seed(0)
    globals()[sys.argv[1]](sys.argv[2])
    print(f'{sys.argv[1]}: all equal')
