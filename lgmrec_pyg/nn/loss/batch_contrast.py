from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.ops import infonce, unit_rows
from lgmrec_pyg.ops.parallel import all_columns, all_of_batch, batch_part, batch_size


class BatchContrast(Module):
    r"""The InfoNCE loss between two views of the nodes of a batch, each held
    against the others of the batch,

    .. math::
        \mathcal{L} = - \frac{1}{B} \sum_{b=1}^{B} \log \frac{\exp(\cos(
        \mathbf{a}_b, \mathbf{k}_b) / \tau)}{\sum_{c=1}^{B} \exp(\cos(
        \mathbf{a}_b, \mathbf{k}_c) / \tau)}

    Args:
        temperature (float, optional): The temperature :math:`\tau`.
            (default: :obj:`0.2`)

    Shapes:
        - **input:** two views :math:`(B, d)`
        - **output:** a scalar
    """

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, anchor: Tensor, key: Tensor) -> Tensor:
        anchors = batch_part(all_columns(unit_rows(anchor)))
        keys, index = all_of_batch(all_columns(unit_rows(key)))
        total = infonce(anchors, keys, index, self.temperature)
        return total / batch_size(anchor.size(0))

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(temperature={self.temperature})'
