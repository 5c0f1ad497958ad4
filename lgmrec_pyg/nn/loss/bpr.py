import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.ops.parallel import batch_mean, batch_part, sum_columns


class BPRLoss(Module):
    r"""The Bayesian Personalized Ranking loss of the `"BPR: Bayesian
    Personalized Ranking from Implicit Feedback"
    <https://arxiv.org/abs/1205.2618>`_ paper on the inner products of embeddings.

    .. math::
        \mathcal{L} = - \frac{1}{B} \sum_{b=1}^{B} \log \sigma \left(
        \mathbf{u}_b^{\top} \mathbf{p}_b - \mathbf{u}_b^{\top} \mathbf{n}_b
        \right)

    Shapes:
        - **input:** users, positive items and negative items, each
          :math:`(B, d)`
        - **output:** a scalar
    """

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, user: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
        difference = sum_columns((user * (neg - pos)).sum(dim=-1))
        return batch_mean(F.softplus(batch_part(difference)))

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
