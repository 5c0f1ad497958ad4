import torch
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.graph import MultimodalGraph
from lgmrec_pyg.ops.parallel import all_nodes, own_nodes


class NewItems(Module):
    r"""Tells new items from known ones: new are those without any interaction, and in
    training a share of all others, drawn in every step.

    A model that embeds these by their features alone, and is trained to rank them
    among the others, ranks items that come later in the same way. The idea is that of
    the `"DropoutNet: Addressing Cold Start in Recommender Systems"
    <https://papers.nips.cc/paper/2017/hash/dbd22ba3bd0df8f385bdac3e9f8be207-Abstract.html>`_
    paper.

    Args:
        rate (float): The share of items, in :math:`[0, 1)`.

    Shapes:
        - **input:** a :class:`~lgmrec_pyg.graph.MultimodalGraph`
        - **output:** whether an item is known, of shape :math:`(|\mathcal{I}|, 1)`

    Raises:
        ValueError: If the rate is out of range.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"'rate' needs to be in [0, 1) (got {rate})")
        self.rate = rate

    def reset_parameters(self) -> None:
        r"""Nothing to reset: the module has no parameters."""

    def forward(self, graph: MultimodalGraph) -> Tensor:
        known = graph.item_degree.view(-1, 1) > 0
        if self.training:  # Drawn for all items, by every process the same.
            draw = torch.rand_like(all_nodes(known.float()))
            known = known & own_nodes(draw >= self.rate)
        return known

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.rate})'
