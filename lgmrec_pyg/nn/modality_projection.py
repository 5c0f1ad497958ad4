import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Module, Parameter

from lgmrec_pyg.ops import matmul
from lgmrec_pyg.ops._extension import register


class ModalityProjection(Module):
    r"""Projects modality features into the embedding space and onto the
    hyperedges, from the `"LGMRec: Local and Global Graph Learning for
    Multimodal Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        [\mathbf{F} \,\Vert\, \mathbf{H}] = \mathbf{X} [\mathbf{W} \,\Vert\,
        \mathbf{V}^{\top}]

    with the weights :math:`\mathbf{W}` of the local module and the hyperedges
    :math:`\mathbf{V}`, which live in the space of the raw features. One product
    reads the wide features once for both. Features in half precision are
    multiplied in half precision; weights and output keep full precision. Any other
    features take the type of the weights, under autocast as well. Features receive
    gradients only if they ask for them, see :class:`~lgmrec_pyg.nn.LearnedFeatures`.

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
        r"""Projects the features."""
        if x.size(-1) != self.in_channels:
            raise ValueError(
                f'{self} needs features with {self.in_channels} columns '
                f'(got {x.size(-1)})'
            )
        if x.dtype not in (torch.float16, torch.bfloat16):
            x = x.to(self.weight.dtype)
        weight = torch.cat([self.weight, self.hyperedge], dim=1)
        if x.requires_grad:
            return matmul(x, weight.to(x.dtype)).to(weight.dtype)
        return torch.ops.lgmrec_pyg.project_frozen(x, weight)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'num_hyperedges={self.num_hyperedges})'
        )


def _project_frozen(x: Tensor, weight: Tensor) -> Tensor:
    return matmul(x, weight.to(x.dtype)).to(weight.dtype)


def _fake_project_frozen(x: Tensor, weight: Tensor) -> Tensor:
    return weight.new_empty(x.size(0), weight.size(1))


def _keep_features(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])


@once_differentiable
def _gradient_of_weight(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
    # A half precision product under autograd would round the gradient of the
    # weights once more on its way back.
    (x,) = ctx.saved_tensors
    # The few columns of the weights in rows: the faster way for BLAS libraries.
    grad_t = grad.t().to(x.dtype).contiguous()
    return None, matmul(grad_t, x).t().to(grad.dtype)


register(
    'project_frozen(Tensor x, Tensor weight) -> Tensor',
    _project_frozen,
    _fake_project_frozen,
    _gradient_of_weight,
    _keep_features,
    key='CompositeExplicitAutograd',
    half=True,
)
