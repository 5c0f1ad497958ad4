import torch
from torch import Tensor
from torch.nn import Linear, Module


class AttentiveFusion(Module):
    r"""The mean over views of nodes, weighted by an attention, from the
    `"Multi-View Graph Convolutional Network for Multimedia Recommendation"
    <https://arxiv.org/abs/2308.03588>`_ paper.

    .. math::
        \mathbf{h} = \sum_m \omega_m \mathbf{h}_m, \qquad \omega =
        \mathrm{softmax}_m \, \mathbf{q}^{\top} \tanh(\mathbf{W} \mathbf{h}_m +
        \mathbf{b})

    Args:
        channels (int): The embedding size.

    Shapes:
        - **input:** a list of views, each :math:`(N, d)`
        - **output:** :math:`(N, d)`
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = Linear(channels, channels)
        self.query = Linear(channels, 1, bias=False)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.hidden.reset_parameters()
        self.query.reset_parameters()

    def forward(self, views: list[Tensor]) -> Tensor:
        weight = torch.cat([self.query(self.hidden(x).tanh()) for x in views], dim=1)
        terms = [
            w * x for w, x in zip(weight.softmax(1).split(1, 1), views, strict=True)
        ]
        return sum(terms[1:], terms[0])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.hidden.in_features})'
