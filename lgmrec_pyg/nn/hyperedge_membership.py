import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.ops._operators import NOISES, can_fuse


class HyperedgeMembership(Module):
    r"""Draws the soft memberships of nodes in hyperedges from their logits,
    from the `"LGMRec: Local and Global Graph Learning for Multimodal
    Recommendation" <https://arxiv.org/abs/2312.16400>`_ paper.

    .. math::
        \tilde{\mathbf{H}} = \mathrm{dropout} \left( \mathrm{softmax} \left(
        \frac{\mathbf{H} + \mathbf{g}}{\tau} \right) \right)

    The softmax runs over the hyperedges and :math:`\mathbf{g}` is noise: Gumbel,
    :math:`-\log(-\log \delta)`, or the logistic
    :math:`\log \delta - \log(1 - \delta)` that the paper prints, with
    :math:`\delta \sim \mathcal{U}(0, 1)`. Dropout acts on single memberships;
    draw once a step and use the same memberships everywhere. In evaluation, the
    module is deterministic: no noise and no dropout.

    Args:
        temperature (float, optional): The temperature :math:`\tau`.
            (default: :obj:`0.2`)
        dropout (float, optional): The probability to drop a membership.
            (default: :obj:`0.5`)
        noise (str, optional): :obj:`"gumbel"`, :obj:`"logistic"` or :obj:`None`.
            (default: :obj:`"gumbel"`)
        noisy_eval (bool, optional): If set to :obj:`True`, evaluation draws noise
            as well, which makes scores random; only for comparison with code
            that does so. (default: :obj:`False`)

    Shapes:
        - **input:** logits :math:`(N, K)`
        - **output:** memberships :math:`(N, K)`

    Raises:
        ValueError: If the temperature is not positive, the dropout not in
            :math:`[0, 1)`, or the noise unknown.
    """

    def __init__(
        self,
        temperature: float = 0.2,
        dropout: float = 0.5,
        noise: str | None = 'gumbel',
        noisy_eval: bool = False,
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"'temperature' needs to be positive (got {temperature})")
        if not 0 <= dropout < 1:
            raise ValueError(f"'dropout' needs to be in [0, 1) (got {dropout})")
        if noise not in NOISES:
            raise ValueError(f"'noise' needs to be one of {NOISES} (got {noise!r})")
        self.temperature = temperature
        self.dropout = dropout
        self.noise = noise
        self.noisy_eval = noisy_eval

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, logits: Tensor) -> Tensor:
        if self.training and can_fuse(logits):
            seed = torch.randint(2**63 - 1, ())
            return torch.ops.lgmrec_pyg.membership(
                logits, seed, self.temperature, self.noise, self.dropout
            )[0]
        if self.training or self.noisy_eval:
            logits = self.add_noise(logits)
        membership = (logits / self.temperature).softmax(dim=-1)
        return F.dropout(membership, self.dropout, self.training)

    def add_noise(self, logits: Tensor) -> Tensor:
        r"""The logits plus a fresh draw of noise."""
        if self.noise is None:
            return logits
        if self.noise == 'gumbel':
            return logits - torch.empty_like(logits).exponential_().log()
        return logits + torch.rand_like(logits).clamp_(1e-7, 1 - 1e-7).logit()

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(temperature={self.temperature}, '
            f'dropout={self.dropout}, noise={self.noise!r}, '
            f'noisy_eval={self.noisy_eval})'
        )
