import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Module, Parameter

from lgmrec_pyg.ops import matmul


class ModalityProjection(Module):
    r"""Projects frozen modality features into the embedding space and onto the
    hyperedges, from the `"LGMRec: Local and Global Graph Learning for
    Multimodal Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        [\mathbf{F} \,\Vert\, \mathbf{H}] = \mathbf{X} [\mathbf{W} \,\Vert\,
        \mathbf{V}^{\top}]

    with the weights :math:`\mathbf{W}` of the local module and the hyperedges
    :math:`\mathbf{V}`, which live in the space of the raw features. One product
    reads the wide features once for both. Features in half precision are
    multiplied in half precision; weights and output keep full precision. Any other
    features take the type of the weights.

    Args:
        in_channels (int): The width :math:`d_m` of the features.
        out_channels (int): The embedding size :math:`d`.
        num_hyperedges (int, optional): The number :math:`K` of hyperedges.
            (default: :obj:`0`)

    Shapes:
        - **input:** features :math:`(N, d_m)`
        - **output:** embeddings and membership logits, side by side,
          :math:`(N, d + K)`

    Raises:
        ValueError: If a width is not positive.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_hyperedges: int = 0
    ) -> None:
        super().__init__()
        for name, value in [
            ('in_channels', in_channels),
            ('out_channels', out_channels),
        ]:
            if value < 1:
                raise ValueError(f"'{name}' needs to be positive (got {value})")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_hyperedges = num_hyperedges
        self.weight = Parameter(torch.empty(in_channels, out_channels))
        self.hyperedge = Parameter(torch.empty(in_channels, num_hyperedges))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier uniform)."""
        for parameter in (self.weight, self.hyperedge):
            bound = math.sqrt(6.0 / sum(parameter.size()))
            torch.nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        r"""Projects the features; they receive no gradient."""
        if x.size(-1) != self.in_channels:
            raise ValueError(
                f'{self} needs features with {self.in_channels} columns '
                f'(got {x.size(-1)})'
            )
        if x.dtype not in (torch.float16, torch.bfloat16):
            x = x.to(self.weight.dtype)
        return _ProjectFrozen.apply(x, torch.cat([self.weight, self.hyperedge], dim=1))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_hyperedges={self.num_hyperedges})'
        )


class _ProjectFrozen(torch.autograd.Function):
    # A half precision product under autograd would round the gradient of the
    # weights once more on its way back.
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.x = x
        return matmul(x, weight.to(x.dtype)).to(weight.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        # The few columns of the weights in rows: the faster way for BLAS libraries.
        grad_t = grad.t().to(ctx.x.dtype).contiguous()
        return None, matmul(grad_t, ctx.x).t().to(grad.dtype)
