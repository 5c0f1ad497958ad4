import math

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from lgmrec_pyg.graph import ModalityGraph
from lgmrec_pyg.nn.modality_projection import ModalityProjection
from lgmrec_pyg.ops import spmm


class ItemProjection(Module):
    r"""A linear layer on the frozen features of one modality, with a row per item.

    .. math::
        \mathbf{f}_i = \frac{1}{|\mathcal{N}_m(i)|} \sum_{n \in \mathcal{N}_m(i)}
        \mathbf{x}_n \mathbf{W} + \mathbf{b}

    Several nodes of an item are averaged; an item without any counts as one with
    zero features.

    Args:
        in_channels (int): The width :math:`d_m` of the features.
        out_channels (int): The width of the output.
        bias (bool, optional): If set to :obj:`False`, will not add
            :math:`\mathbf{b}`. (default: :obj:`True`)

    Shapes:
        - **input:** features :math:`(N_m, d_m)`, a
          :class:`~lgmrec_pyg.graph.ModalityGraph`
        - **output:** item features :math:`(|\mathcal{I}|, d)`
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.projection = ModalityProjection(in_channels, out_channels)
        self.bias = Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module, like those of
        :class:`torch.nn.Linear`.
        """
        bound = 1 / math.sqrt(self.projection.in_channels)
        for parameter in self.parameters():
            torch.nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, modality: ModalityGraph) -> Tensor:
        out = spmm(modality.to_item, self.projection(x))
        return out if self.bias is None else out + self.bias

    def __repr__(self) -> str:
        channels = self.projection.in_channels, self.projection.out_channels
        return f'{self.__class__.__name__}({channels[0]}, {channels[1]})'
