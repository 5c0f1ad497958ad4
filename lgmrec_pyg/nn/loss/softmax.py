from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.nn.loss.sampled_infonce import sampled_infonce
from lgmrec_pyg.ops._infonce import check_backend, infonce
from lgmrec_pyg.ops.parallel import (
    all_columns,
    all_nodes,
    batch_part,
    batch_size,
    index_part,
)
from lgmrec_pyg.ops.rows import unit_rows


class SoftmaxLoss(Module):
    r"""The softmax ranking loss of the `"On the Effectiveness of Sampled Softmax
    Loss for Item Recommendation" <https://arxiv.org/abs/2201.02327>`_ paper,
    over *all* items instead of a sample.

    .. math::
        \mathcal{L} = - \frac{1}{B} \sum_{b=1}^{B} \log \frac{\exp(\cos(
        \mathbf{u}_b, \mathbf{e}_{p_b}) / \tau)}{\sum_{i=1}^{|\mathcal{I}|}
        \exp(\cos(\mathbf{u}_b, \mathbf{e}_i) / \tau)}

    A user is held against every item at once, which a ranking loss over one
    negative approaches only after many epochs. The scores are cosines: rank by
    them, not by inner products. The :math:`B \times |\mathcal{I}|` scores are
    never stored, see :func:`~lgmrec_pyg.ops.infonce`. Where items are a sample, each
    counts by the inverse of its probability to be in it, see
    :func:`~lgmrec_pyg.nn.loss.sampled_infonce`.

    Args:
        temperature (float, optional): The temperature :math:`\tau`.
            (default: :obj:`0.2`)
        backend (str, optional): How to compute: see
            :func:`~lgmrec_pyg.ops.infonce`. (default: :obj:`"auto"`)

    Shapes:
        - **input:** users :math:`(B, d)`, all items
          :math:`(|\mathcal{I}|, d)`, positive item indices :math:`(B)`, inverse
          probabilities of sampled items :math:`(|\mathcal{I}|)` *(optional)*, which
          items there are to choose from :math:`(|\mathcal{I}|)` *(optional)*
        - **output:** a scalar, in single precision at least

    Raises:
        ValueError: If the temperature is not positive or the backend unknown.
    """

    def __init__(self, temperature: float = 0.2, backend: str = 'auto') -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"'temperature' needs to be positive (got {temperature})")
        check_backend(backend)
        self.temperature = temperature
        self.backend = backend

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(
        self,
        user: Tensor,
        item: Tensor,
        pos: Tensor,
        weight: Tensor | None = None,
        candidates: Tensor | None = None,
    ) -> Tensor:
        users = batch_part(all_columns(unit_rows(user)))
        items, index = all_nodes(all_columns(unit_rows(item))), index_part(pos)
        if candidates is not None:
            candidates = all_nodes(candidates).index_fill(0, pos, True)
            items, index = items[candidates], (candidates.cumsum(0) - 1)[index]
            weight = None if weight is None else weight[candidates]
        rows = users, items, index
        if weight is None:
            total = infonce(*rows, self.temperature, self.backend)
        else:
            total = sampled_infonce(*rows, weight, self.temperature)
        return total / batch_size(pos.numel())

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(temperature={self.temperature})'
