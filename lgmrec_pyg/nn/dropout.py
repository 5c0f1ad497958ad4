import torch
import torch.nn.functional as F
from torch import Tensor


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    r"""The dropout of :func:`torch.nn.functional.dropout`,

    .. math::
        x^{\prime}_i = \frac{m_i}{1 - p} \, x_i, \qquad m_i \sim
        \mathrm{Bernoulli}(1 - p)

    On CPU, :math:`m_i` is a uniform number held against :math:`p`: PyTorch draws those
    several times as fast as Bernoulli ones, which can take longer than the layers
    around a dropout.

    Args:
        x (torch.Tensor): The input.
        p (float): The probability of a zero.
        training (bool, optional): If set to :obj:`False`, returns the input.
            (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`p` does not lie in :math:`[0, 1]`.
    """
    if not (training and x.is_cpu and 0 < p < 1):
        return F.dropout(x, p, training)
    keep = torch.rand_like(x, dtype=torch.float32, requires_grad=False) >= p
    return x * keep.to(x.dtype).div_(1 - p)


class Dropout(torch.nn.Dropout):
    r"""The layer of :func:`dropout`."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)
