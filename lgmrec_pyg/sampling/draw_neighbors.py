import torch
from torch import Tensor

from lgmrec_pyg.ops import CSR


def draw_neighbors(
    csr: CSR, nodes: Tensor, k: int | None, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    r"""Draws up to :obj:`k` in-neighbors of every node, without replacement and each
    with the same probability: of :math:`d > k` neighbors, those in the places

    .. math::
        \left\lfloor (j + \delta) \frac{d}{k} \right\rfloor, \qquad
        j = 0, \ldots, k - 1, \qquad \delta \sim \mathcal{U}(0, 1).

    Args:
        csr (CSR): In row :math:`i`, the in-neighbors of node :math:`i`.
        nodes (torch.Tensor): The nodes, of shape :math:`(N)`.
        k (int, optional): The number of neighbors; :obj:`None` stands for all.
        generator (torch.Generator, optional): The source of randomness.
            (default: :obj:`None`)

    Returns:
        For every drawn edge, the place of its target in :obj:`nodes`, its source, and
        its weight if there are any.
    """
    start = csr.rowptr[nodes]
    degree = csr.rowptr[nodes + 1] - start
    count = degree if k is None else degree.clamp(max=k)
    place = torch.repeat_interleave(count)
    rank = torch.arange(place.numel(), device=place.device)
    rank -= (count.cumsum(0) - count)[place]
    if k is not None:
        delta = torch.empty(nodes.numel(), dtype=torch.double, device=nodes.device)
        delta.uniform_(generator=generator)
        stride = degree.double() / count
        spaced = ((rank + delta[place]) * stride[place]).long()
        # Rounding may not lead out of a row, nor change one that is drawn whole.
        spaced = torch.minimum(spaced, degree[place] - 1)
        rank = torch.where((degree > count)[place], spaced, rank)
    edge = start[place] + rank
    return place, csr.col[edge], None if csr.value is None else csr.value[edge]


class Numbering:
    r"""Numbers some of many nodes in the order in which they are added, in time that
    does not depend on how many there are.

    Args:
        num_nodes (int): The number of all nodes.
        device (torch.device): Where they are.
    """

    def __init__(self, num_nodes: int, device: torch.device) -> None:
        self._number = torch.full((num_nodes,), -1, device=device)
        self._added: list[Tensor] = []
        self._size = 0

    def add(self, nodes: Tensor) -> Tensor:
        r"""Adds nodes, of which there may be duplicates, and returns the new ones."""
        new = nodes[self._number[nodes] < 0].unique()
        size = self._size + new.numel()
        self._added.append(new)  # Before they count, so that 'clear' undoes it all.
        self._number[new] = torch.arange(self._size, size, device=new.device)
        self._size = size
        return new

    def of(self, nodes: Tensor) -> Tensor:
        r"""The numbers of nodes that were added."""
        return self._number[nodes]

    def clear(self) -> Tensor:
        r"""Forgets and returns all nodes that were added."""
        nodes = torch.cat([self._number[:0], *self._added])
        self._number[nodes] = -1
        self._added, self._size = [], 0
        return nodes
