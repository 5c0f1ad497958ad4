import pytest
import torch
from torch import Tensor

from lgmrec_pyg.ops import has_extension, infonce, unit_rows
from lgmrec_pyg.ops._infonce import choose_backend
from lgmrec_pyg.ops._matmul import HAS_ONEDNN

NEEDS_EXTENSION = pytest.mark.skipif(
    not has_extension(), reason='needs the C++ extension'
)
BACKENDS = [
    'chunked',
    pytest.param('fused', marks=NEEDS_EXTENSION),
]


def reference(anchors: Tensor, keys: Tensor, index: Tensor, tau: float) -> Tensor:
    similarity = anchors @ keys.t() / tau
    positive = similarity[torch.arange(index.numel()), index]
    return (similarity.exp().sum(1).log() - positive).sum()


def fused(
    anchors: Tensor, keys: Tensor, masked: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ops.lgmrec_pyg.infonce(anchors, keys, 1.0, 'fused', masked)


def draw(b: int, n: int, k: int) -> tuple[Tensor, Tensor, Tensor]:
    keys = unit_rows(torch.randn(n, k, dtype=torch.float64))
    keys[:: max(n // 3, 1)] = 0  # Nodes without memberships.
    index = torch.randint(n, (b,))
    return unit_rows(torch.randn(b, k, dtype=torch.float64)), keys, index


def test_hand_computed() -> None:
    anchors = torch.tensor([[1.0, 0.0]])
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = (1 + torch.tensor(-2.0).exp()).log()  # Logits 2 and 0.
    loss = infonce(anchors, keys, torch.tensor([0]), temperature=0.5)
    assert torch.allclose(loss, expected)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('k', [1, 2, 3, 4, 8, 9, 64, 100])
@pytest.mark.parametrize(('b', 'n'), [(1, 1), (1, 50), (3, 2), (5, 33), (67, 301)])
def test_backends_in_single_precision(backend: str, k: int, b: int, n: int) -> None:
    anchors, keys, index = draw(b, n, k)
    expected = [x.requires_grad_() for x in (anchors, keys)]
    loss = reference(*expected, index, 0.2)
    grads = torch.autograd.grad(loss, expected)

    inputs = [x.detach().float().requires_grad_() for x in expected]
    out = infonce(*inputs, index, 0.2, backend)
    assert torch.allclose(out.double(), loss, rtol=1e-5, atol=1e-5)
    for grad, expected_grad in zip(
        torch.autograd.grad(out, inputs), grads, strict=True
    ):
        assert torch.allclose(grad.double(), expected_grad, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize('backend', ['plain', 'chunked'])
@pytest.mark.parametrize('k', [1, 4, 64])
@pytest.mark.parametrize('tau', [0.01, 0.2, 1.0])
def test_backends_in_double_precision(backend: str, k: int, tau: float) -> None:
    anchors, keys, index = draw(9, 40, k)
    inputs = [x.requires_grad_() for x in (anchors, keys)]
    loss = reference(*inputs, index, tau)
    out = infonce(*inputs, index, tau, backend)
    assert torch.allclose(out, loss, rtol=1e-10)
    # Gradients of a scaled loss, as in a weighted sum of losses:
    for a, b in zip(
        torch.autograd.grad(3 * out, inputs),
        torch.autograd.grad(3 * loss, inputs),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)


def test_many_chunks_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('lgmrec_pyg.ops._infonce.CHUNK_ELEMENTS', 7 * 40)  # 7 rows.
    anchors, keys, index = draw(50, 40, 5)
    inputs = [x.requires_grad_() for x in (anchors, keys)]
    loss = reference(*inputs, index, 0.2)
    out = infonce(*inputs, index, 0.2, 'chunked')
    assert torch.allclose(out, loss, rtol=1e-10)
    for a, b in zip(
        torch.autograd.grad(out, inputs),
        torch.autograd.grad(loss, inputs),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)


def test_gradcheck() -> None:
    anchors, keys, index = draw(4, 6, 3)
    inputs = [x.requires_grad_() for x in (anchors, keys)]
    assert torch.autograd.gradcheck(
        lambda a, k: infonce(a, k, index, 0.5, 'chunked'), inputs
    )


def test_small_temperature_does_not_underflow() -> None:
    anchors = torch.tensor([[1.0, 0.0]])
    keys = torch.tensor([[-1.0, 0.0], [-0.8, 0.6]])  # Both far from the anchor.
    loss = infonce(anchors, keys, torch.tensor([1]), temperature=0.01)
    expected = (1 + torch.tensor(-20.0).exp()).log()
    assert torch.allclose(loss, expected, atol=1e-5)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('k', [4, 20, 64])
@pytest.mark.parametrize('density', [0.0, 0.2, 0.5])
def test_masked_keys(backend: str, k: int, density: float) -> None:
    anchors, keys, index = draw(70, 150, k)
    keys = keys * (torch.rand(keys.size()) < density)
    mask = keys != 0
    expected = [x.requires_grad_() for x in (anchors, keys)]
    loss = reference(*expected, index, 0.2)
    grad_anchors, grad_keys = torch.autograd.grad(loss, expected)

    inputs = [x.detach().float().requires_grad_() for x in expected]
    out = infonce(*inputs, index, 0.2, backend, masked=True)
    grads = torch.autograd.grad(out, inputs)
    assert torch.allclose(out.double(), loss, rtol=1e-5, atol=1e-5)
    assert torch.allclose(grads[0].double(), grad_anchors, rtol=1e-4, atol=2e-5)
    # All that is left of them behind the dropout that made the zeros.
    assert torch.allclose(
        grads[1].double() * mask, grad_keys * mask, rtol=1e-4, atol=2e-5
    )


@NEEDS_EXTENSION
@pytest.mark.usefixtures('each_version')
@pytest.mark.parametrize('k', [1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 64])
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize(('b', 'n'), [(1, 1), (3, 70), (67, 301), (200, 17)])
def test_every_version_of_the_kernels(k: int, masked: bool, b: int, n: int) -> None:
    anchors, keys, _ = draw(b, n, k)
    keys = keys * (torch.rand(keys.size()) < 0.5) if masked else keys
    expected = torch.ops.lgmrec_pyg.infonce(anchors, keys, 1.0, 'chunked')
    out = fused(anchors.float(), keys.float(), masked)
    assert torch.allclose(out[0].double(), expected[0], rtol=1e-5)
    assert torch.allclose(out[1].double(), expected[1], rtol=1e-4, atol=1e-6)
    kept = keys != 0 if masked and k > 8 else torch.ones_like(keys)
    assert torch.allclose(out[2].double(), expected[2] * kept, rtol=1e-4, atol=1e-6)


@NEEDS_EXTENSION
@pytest.mark.usefixtures('each_version')
def test_masked_is_asked_for() -> None:
    anchors, keys, _ = (x.float() for x in draw(5, 30, 20))
    keys[0], keys[1, 3] = 0, 0
    exact = fused(anchors, keys)[2]
    masked = fused(anchors, keys, masked=True)[2]
    assert exact[0].abs().min() > 0
    assert exact[1, 3] != 0
    assert torch.equal(masked, exact * (keys != 0))


@NEEDS_EXTENSION
@pytest.mark.usefixtures('each_version')
@pytest.mark.parametrize('k', [4, 64])
@pytest.mark.parametrize('num_threads', [1, 2, 5])
def test_fused_threads(num_threads: int, k: int) -> None:
    anchors, keys, _ = (x.float() for x in draw(10, 170, k))
    expected = fused(anchors, keys)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    out = fused(anchors, keys)
    torch.set_num_threads(before)
    for a, b in zip(out, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_choice_and_errors() -> None:
    anchors, keys, index = draw(4, 6, 3)
    assert choose_backend(anchors) == 'chunked'
    assert choose_backend(torch.randn(4, 0)) == 'chunked'
    fused = 'fused' if has_extension() else 'chunked'
    for columns in (3, 32):
        assert choose_backend(torch.randn(4, columns)) == fused
    wide = torch.randn(4, 64)
    assert choose_backend(wide, masked=True) == fused
    assert choose_backend(wide) == ('chunked' if HAS_ONEDNN else fused)
    with pytest.raises(ValueError, match=r"'backend' needs to be one of .* 'magic'"):
        infonce(anchors, keys, index, backend='magic')
    if has_extension():
        with pytest.raises(ValueError, match='needs float32 on CPU'):
            infonce(anchors, keys, index, backend='fused')


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('k', [4, 40])
def test_inner_products_above_one(backend: str, k: int) -> None:
    # Not promised, but nothing that should end in a wrong number.
    anchors, keys, index = draw(20, 60, k)
    loss = infonce(5 * anchors.float(), keys.float(), index, 0.5, backend)
    expected = reference(5 * anchors, keys, index, 0.5)
    assert torch.allclose(loss.double(), expected, rtol=1e-5)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('k', [4, 40])
@pytest.mark.parametrize('side', [0, 1])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_what_is_not_finite_shows(
    backend: str, k: int, side: int, value: float
) -> None:
    inputs = [x.float() for x in draw(5, 20, k)[:2]]
    inputs[side][3, 1] = value
    inputs[side].requires_grad_()
    loss = infonce(*inputs, torch.tensor([0, 1, 2, 4, 5]), 0.2, backend, masked=True)
    assert not loss.isfinite()
    assert not torch.autograd.grad(loss, inputs[side])[0].isfinite().all()


def test_shapes_have_to_agree() -> None:
    anchors, keys, index = draw(4, 6, 3)
    with pytest.raises(ValueError, match=r'agree in width and type \(got 3 and 2'):
        infonce(anchors, keys[:, :2], index)
    with pytest.raises(ValueError, match='agree in width and type'):
        infonce(anchors.float(), keys, index)
    with pytest.raises(ValueError, match=r'one key for each of 4 anchors \(got 1\)'):
        infonce(anchors, keys, index[:1])
    if has_extension():
        with pytest.raises(ValueError, match='as many columns on both sides'):
            fused(torch.zeros(4, 0), torch.zeros(6, 0))
        with pytest.raises(ValueError, match='as many columns on both sides'):
            fused(torch.zeros(4, 3), torch.zeros(6, 1))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_inputs(dtype: torch.dtype) -> None:
    anchors, keys, index = draw(40, 3000, 8)
    loss = infonce(anchors.to(dtype), keys.to(dtype), index, 0.2)
    assert torch.allclose(
        loss.double(), reference(anchors, keys, index, 0.2), rtol=0.02
    )


@pytest.mark.parametrize('backend', ['plain', 'chunked'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_sums_in_single(backend: str, dtype: torch.dtype) -> None:
    anchors, keys, index = draw(20_000, 50, 8)
    loss = infonce(anchors.to(dtype), keys.to(dtype), index, 0.2, backend)
    anchors, keys = (x.to(dtype).double() for x in (anchors, keys))
    expected = reference(anchors, keys, index, 0.2)
    assert expected > torch.finfo(torch.float16).max
    assert loss.dtype == torch.float32
    assert torch.allclose(loss.double(), expected, rtol=5e-3)


@pytest.mark.parametrize('k', [4, 64])
def test_autocast_computes_in_single_precision(k: int) -> None:
    anchors, keys, index = draw(9, 40, k)
    inputs = [x.float().requires_grad_() for x in (anchors, keys)]
    expected = infonce(*inputs, index, 0.2)
    with torch.autocast('cpu'):
        loss = infonce(*inputs, index, 0.2)
        mixed = infonce(inputs[0].bfloat16(), inputs[1], index, 0.2)
        *_, grad_keys = torch.ops.lgmrec_pyg.infonce(*inputs, 1.0)
    assert torch.equal(loss, expected)
    assert torch.allclose(mixed, expected, rtol=0.01)
    assert grad_keys.dtype == torch.float32
    grads = [torch.autograd.grad(x, inputs) for x in (loss, expected)]
    for a, b in zip(*grads, strict=True):
        assert torch.equal(a, b)


def test_second_derivatives_are_refused() -> None:
    anchors, keys, index = draw(4, 6, 3)
    loss = infonce(anchors.requires_grad_(), keys, index, 0.5, 'chunked')
    (grad,) = torch.autograd.grad(loss**2, anchors, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        grad.sum().backward()


@pytest.mark.parametrize('backend', ['chunked', 'plain'])
def test_derivatives_in_forward_mode(backend: str) -> None:
    anchors, keys = torch.randn(3, 4).double(), torch.randn(6, 4).double()
    anchors, keys = unit_rows(anchors), unit_rows(keys)
    index, tangent = torch.tensor([0, 5, 2]), torch.randn(3, 4).double()

    def loss(x):
        return infonce(x, keys, index, 0.5, backend)

    _, found = torch.func.jvp(loss, (anchors,), (tangent,))
    anchors.requires_grad_()
    (grad,) = torch.autograd.grad(loss(anchors), anchors)
    assert torch.allclose(found, (grad * tangent).sum())
