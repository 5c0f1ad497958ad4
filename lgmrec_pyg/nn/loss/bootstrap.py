import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.ops import unit_rows


class BootstrapLoss(Module):
    r"""Aligns predictions with targets that receive no gradient, from the
    `"Bootstrap Latent Representations for Multi-modal Recommendation"
    <https://arxiv.org/abs/2207.05969>`_ paper.

    .. math::
        \mathcal{L} = 1 - \frac{1}{B} \sum_{b=1}^{B} \cos(\mathbf{p}_b,
        \mathrm{dropout}(\mathbf{t}_b))

    Args:
        dropout (float, optional): The dropout of targets in training.
            (default: :obj:`0.5`)

    Shapes:
        - **input:** predictions and targets, each :math:`(B, d)`
        - **output:** a scalar
    """

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = dropout

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        target = F.dropout(target.detach(), self.dropout, self.training)
        return 1 - (unit_rows(prediction) * unit_rows(target)).sum(dim=1).mean()

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(dropout={self.dropout})'
