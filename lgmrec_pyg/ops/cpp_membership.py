from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lgmrec_pyg.ops._extension import extension, has_extension

NOISES = (None, 'gumbel', 'logistic')


@torch.compiler.disable
def can_fuse(logits: Tensor) -> bool:
    r"""Whether :func:`cpp_membership` takes these logits."""
    fits = logits.is_cpu and logits.dtype == torch.float32 and logits.dim() == 2
    return fits and logits.size(1) > 0 and has_extension()


@torch.compiler.disable  # Native code: the compiler cannot see what it writes.
def cpp_membership(
    logits: Tensor, temperature: float, noise: str | None, dropout: float
) -> Tensor:
    r"""The pass in C++ behind :class:`~lgmrec_pyg.nn.HyperedgeMembership` in
    training on CPU; see there for the arguments. The noise is a function of one
    draw from the random number generator of PyTorch.
    """
    return _Membership.apply(logits, temperature, noise, dropout)


class _Membership(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, temperature: float, noise: str | None, dropout: float
    ) -> Tensor:
        logits = logits.detach().contiguous()
        soft, out = torch.empty_like(logits), torch.empty_like(logits)
        extension().membership(
            logits.data_ptr(),
            *logits.size(),
            temperature,
            NOISES.index(noise),
            1 - dropout,
            int(torch.randint(2**63 - 1, ())),
            torch.get_num_threads(),
            soft.data_ptr(),
            out.data_ptr(),
        )
        ctx.save_for_backward(soft, out)
        ctx.temperature, ctx.keep = temperature, 1 - dropout
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        soft, out = ctx.saved_tensors
        grad, grad_logits = grad.contiguous(), torch.empty_like(soft)
        extension().membership_backward(
            grad.data_ptr(),
            soft.data_ptr(),
            out.data_ptr(),
            *soft.size(),
            ctx.temperature,
            ctx.keep,
            torch.get_num_threads(),
            grad_logits.data_ptr(),
        )
        return grad_logits, None, None, None
