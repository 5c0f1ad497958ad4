import torch
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.nn.dropout import dropout
from lgmrec_pyg.ops import unit_rows


class BootstrapLoss(Module):
    r"""Aligns predictions with targets that receive no gradient, from the
    `"Bootstrap Latent Representations for Multi-modal Recommendation"
    <https://arxiv.org/abs/2207.05969>`_ paper.

    .. math::
        \mathcal{L} = \sum_{\mathbf{T}} \Big( 1 - \frac{1}{B} \sum_{b=1}^{B}
        \cos(\mathbf{p}_b, \mathbf{t}_b) \Big)

    with targets of :meth:`target`, drawn once for all the losses that they are in:

    .. code-block:: python

        align = BootstrapLoss(dropout=0.5)
        user_target, item_target = align.target(user), align.target(item)
        loss = align(predictor(user), item_target) + align(predictor(item), user_target)

    Args:
        dropout (float, optional): The dropout of targets in training.
            (default: :obj:`0.5`)

    Shapes:
        - **input:** predictions, and one or more targets of :meth:`target`, each
          :math:`(B, d)`
        - **output:** a scalar
    """

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = dropout

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    @torch.no_grad()
    def target(self, x: Tensor) -> Tensor:
        r"""The unit rows of what dropout leaves of an embedding, without gradient."""
        return unit_rows(dropout(x, self.dropout, self.training))

    def forward(self, prediction: Tensor, *targets: Tensor) -> Tensor:
        target = sum(targets[1:], targets[0])
        cosines = unit_rows(prediction).flatten() @ target.flatten()
        return len(targets) - cosines / len(prediction)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(dropout={self.dropout})'
