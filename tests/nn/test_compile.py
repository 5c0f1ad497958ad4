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


def check(run, leaves, backend='aot_eager', **options):
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
    ('num_hyperedges', 'masked'), [(4, False), (12, True), (40, False)]
)
def test_hypergraph_contrast(num_hyperedges, masked):
    loss = HypergraphContrast(symmetric=True)

    def run(*factors):
        anchor, key = (
            HypergraphEmbedding(h.softmax(1) * (h > 0), latent, masked)
            for h, latent in (factors[:2], factors[2:])
        )
        return loss(anchor, key, INDEX)

    sizes = [(12, num_hyperedges), (num_hyperedges, 16)] * 2
    check(run, [torch.randn(size, requires_grad=True) for size in sizes])


@pytest.mark.parametrize('temperature', [0.2, 0.01])
def test_softmax_loss(temperature):
    loss = SoftmaxLoss(temperature)
    leaves = [torch.randn(n, 8, requires_grad=True) for n in (4, 9)]
    check(lambda user, item: loss(user, item, INDEX), leaves)


@pytest.mark.parametrize('noise', [None, 'gumbel', 'logistic'])
def test_hyperedge_membership(noise):
    membership = HyperedgeMembership(noise=noise)
    check(membership, [torch.randn(9, 4, requires_grad=True)])


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_modality_projection(dtype):
    projection, x = ModalityProjection(5, 3, 2), torch.randn(7, 5).to(dtype)
    check(lambda *_: projection(x), list(projection.parameters()))


def test_all_of_them_in_compiled_loops():
    if not _extension.has_extension():
        pytest.skip('needs a C++ compiler')
    projection, x = ModalityProjection(5, 8, 4), torch.randn(12, 5)
    membership, contrast, ranking = (
        HyperedgeMembership(),
        HypergraphContrast(),
        SoftmaxLoss(),
    )

    def run(latent, *_):
        embedding, logits = projection(x).split([8, 4], dim=1)
        anchor, key = (
            HypergraphEmbedding(membership(logits), latent, masked=True)
            for _ in range(2)
        )
        loss = contrast(anchor, key, INDEX)
        return loss + ranking(embedding[INDEX + 1], embedding, INDEX)

    leaves = [torch.randn(4, 8, requires_grad=True), *projection.parameters()]
    # Else this compiler draws other random numbers than eager mode.
    check(run, leaves, 'inductor', fallback_random=True)
