r"""Modules compiled in one graph compute what they do in eager mode."""

import pytest
import torch

from lgmrec_pyg.nn import (
    HyperedgeMembership,
    HypergraphContrast,
    HypergraphEmbedding,
    ModalityProjection,
    SoftmaxLoss,
)
from lgmrec_pyg.ops import _extension

INDEX = torch.tensor([3, 0, 3, 7])


@pytest.fixture(params=['extension', 'plain'], autouse=True)
def kernels(request, monkeypatch):
    if request.param == 'plain':
        monkeypatch.setattr(_extension, 'KERNELS', None)
    elif not _extension.has_extension():
        pytest.skip('needs the C++ extension')
    torch.compiler.reset()


def check(run, leaves, backend):
    # Random numbers of eager mode, and nothing compiled from an older operator.
    options = {'fallback_random': True, 'force_disable_caches': True}
    options = options if backend == 'inductor' else None
    compiled = torch.compile(run, fullgraph=True, backend=backend, options=options)
    results = []
    for call in (run, compiled):
        torch.manual_seed(0)
        out = call(*leaves)
        grad = torch.linspace(0.5, 1, out.numel()).view(out.size())
        results.append([out, *torch.autograd.grad(out, leaves, grad)])
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('num_hyperedges', 'masked', 'backend'),
    [
        (4, True, 'inductor'),
        (4, False, 'aot_eager'),
        (12, True, 'aot_eager'),
        (40, False, 'aot_eager'),
    ],
)
def test_hypergraph_contrast(num_hyperedges, masked, backend):
    loss = HypergraphContrast(symmetric=True)

    def run(*factors):
        anchor, key = (
            HypergraphEmbedding(h.softmax(1) * (h > 0), latent, masked)
            for h, latent in (factors[:2], factors[2:])
        )
        return loss(anchor, key, INDEX)

    sizes = [(12, num_hyperedges), (num_hyperedges, 16)] * 2
    check(run, [torch.randn(size, requires_grad=True) for size in sizes], backend)


@pytest.mark.parametrize(
    ('temperature', 'backend'),
    [(0.2, 'inductor'), (0.2, 'aot_eager'), (0.01, 'aot_eager')],
)
def test_softmax_loss(temperature, backend):
    loss = SoftmaxLoss(temperature)
    leaves = [torch.randn(n, 8, requires_grad=True) for n in (4, 9)]
    check(lambda user, item: loss(user, item, INDEX), leaves, backend)


@pytest.mark.parametrize(
    ('noise', 'backend'),
    [
        ('gumbel', 'inductor'),
        ('gumbel', 'aot_eager'),
        ('logistic', 'aot_eager'),
        (None, 'aot_eager'),
    ],
)
def test_hyperedge_membership(noise, backend):
    membership = HyperedgeMembership(noise=noise)
    check(membership, [torch.randn(9, 4, requires_grad=True)], backend)


@pytest.mark.parametrize(
    ('dtype', 'backend'),
    [
        (torch.float32, 'aot_eager'),
        (torch.bfloat16, 'aot_eager'),
        (torch.bfloat16, 'inductor'),
    ],
)
def test_modality_projection(dtype, backend):
    projection, x = ModalityProjection(5, 3, 2), torch.randn(7, 5).to(dtype)
    leaves = [projection.weight, projection.hyperedge]
    check(lambda *_: projection(x), leaves, backend)
