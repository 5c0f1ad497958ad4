from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lgmrec_pyg.ops._extension import extension, has_extension, register

NOISES = (None, 'gumbel', 'logistic')
GOOD, BAD_OFFSETS = -1, -2  # Anything else is an entry that is out of range.
MIN_USERS = 64  # For fewer, laying out the items anew costs more than it saves.
MAX_SCORE = 1e30  # Scores far from it neither overflow nor are NaN.


def _csr_matmul(rowptr: Tensor, col: Tensor, value: Tensor | None, x: Tensor) -> Tensor:
    r"""The product of a sparse matrix, in CSR format with :obj:`value` or else ones,
    and :obj:`x` of shape :math:`(M, F)`, in single or double precision.

    Raises:
        IndexError: If the matrix holds a column that :obj:`x` has no row for.
        ValueError: If the types or shapes do not fit, or the row offsets do not ascend
            from 0 to the number of entries.
    """
    fits = x.dim() == 2 and x.dtype in (torch.float32, torch.float64)
    fits = fits and rowptr.dtype == col.dtype and rowptr.numel() > 0
    fits = fits and col.dtype in (torch.int32, torch.int64)
    if value is not None:
        fits = fits and value.dtype == x.dtype and value.numel() == col.numel()
    if not fits:
        got = [None if y is None else y.dtype for y in (rowptr, col, value, x)]
        raise ValueError(
            "'csr_matmul' needs indices in int32 or int64, and one value an entry and "
            f"a matrix 'x' in float32 or float64 (got {got})"
        )
    rowptr, col = rowptr.contiguous(), col.contiguous()
    out = x.new_empty(rowptr.numel() - 1, x.size(1))
    state = extension().spmm(
        rowptr,
        col,
        None if value is None else value.contiguous(),
        x.contiguous(),
        out.size(0),
        x.size(0),
        col.numel(),
        x.size(1),
        col.dtype == torch.int32,
        x.dtype == torch.float64,
        torch.get_num_threads(),
        out,
    )
    if state == BAD_OFFSETS:
        raise ValueError(
            f'Row offsets need to ascend from 0 to {col.numel()}, the number of entries'
        )
    if state != GOOD:
        raise IndexError(
            f'A column index needs to lie in [0, {x.size(0) - 1}] (got '
            f'{int(col[state])})'
        )
    return out


def _fake_csr_matmul(
    rowptr: Tensor, col: Tensor, value: Tensor | None, x: Tensor
) -> Tensor:
    return x.new_empty(rowptr.size(0) - 1, x.size(1))


def can_fuse(logits: Tensor) -> bool:
    r"""Whether the operator ``membership`` takes these logits."""
    fits = logits.is_cpu and logits.dtype == torch.float32 and logits.dim() == 2
    return fits and logits.size(1) > 0 and has_extension()


def _membership(
    logits: Tensor, seed: Tensor, temperature: float, noise: str | None, dropout: float
) -> tuple[Tensor, Tensor]:
    r"""The memberships that :class:`~lgmrec_pyg.nn.HyperedgeMembership` draws in
    training, and the same before dropout. All noise is a function of the seed.
    """
    if not can_fuse(logits):
        raise ValueError(
            f"'membership' needs a matrix in float32 (got {logits.dtype} of shape "
            f'{tuple(logits.size())})'
        )
    logits = logits.contiguous()
    out, soft = torch.empty_like(logits), torch.empty_like(logits)
    extension().membership(
        logits,
        *logits.size(),
        temperature,
        NOISES.index(noise),
        1 - dropout,
        int(seed),
        torch.get_num_threads(),
        soft,
        out,
    )
    return out, soft


def _fake_membership(logits: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    return logits.new_empty(logits.size()), logits.new_empty(logits.size())


def _keep_memberships(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*output)
    ctx.temperature = inputs[2]


@once_differentiable
def _gradient_of_membership(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
    out, soft = ctx.saved_tensors
    grad = grad * out
    grad = torch.addcmul(grad, soft, grad.sum(dim=1, keepdim=True), value=-1)
    return grad / ctx.temperature, None, None, None, None


def can_rank(user_emb: Tensor, item_emb: Tensor) -> bool:
    r"""Whether the operator ``topk`` takes these embeddings, and is the faster way."""
    if not has_extension() or user_emb.size(0) < MIN_USERS:
        return False
    if not all(x.is_cpu and x.dtype == torch.float32 for x in (user_emb, item_emb)):
        return False
    return bool(user_emb.norm() * item_emb.norm() < MAX_SCORE)


def _topk(
    user_emb: Tensor,
    item_emb: Tensor,
    k: int,
    rowptr: Tensor | None = None,
    col: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""The loops in C++ behind :func:`~lgmrec_pyg.evaluation.topk`; see there for the
    arguments and the result. No score is stored, the items are once more. Of equal
    scores, those of the first items count.
    """
    if not user_emb.dtype == item_emb.dtype == torch.float32 or (
        user_emb.size(1) != item_emb.size(1)
    ):
        raise ValueError(
            f"'topk' needs embeddings of one width in float32 (got {user_emb.dtype} of "
            f'{user_emb.size(1)} and {item_emb.dtype} of {item_emb.size(1)} columns)'
        )
    user_emb, item_emb = user_emb.contiguous(), item_emb.contiguous()
    score = user_emb.new_full((user_emb.size(0), k), -float('inf'))
    index = torch.full_like(score, -1, dtype=torch.long)
    extension().topk(
        user_emb,
        item_emb,
        user_emb.size(0),
        *item_emb.size(),
        k,
        None if rowptr is None else rowptr.long().contiguous(),
        None if col is None else col.long().contiguous(),
        torch.get_num_threads(),
        item_emb.new_empty(extension().topk_scratch(*item_emb.size())),
        score,
        index,
    )
    return score, index


def _fake_topk(
    user_emb: Tensor, item_emb: Tensor, k: int, *args: Any
) -> tuple[Tensor, Tensor]:
    score = user_emb.new_empty(user_emb.size(0), k)
    return score, torch.empty_like(score, dtype=torch.long)


register(
    'csr_matmul(Tensor rowptr, Tensor col, Tensor? value, Tensor x) -> Tensor',
    _csr_matmul,
    _fake_csr_matmul,
)
register(
    'membership(Tensor logits, Tensor seed, float temperature, str? noise, '
    'float dropout) -> (Tensor, Tensor)',
    _membership,
    _fake_membership,
    _gradient_of_membership,
    _keep_memberships,
)
register(
    'topk(Tensor user_emb, Tensor item_emb, int k, Tensor? rowptr=None, '
    'Tensor? col=None) -> (Tensor, Tensor)',
    _topk,
    _fake_topk,
)
