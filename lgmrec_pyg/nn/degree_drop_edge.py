import math
from typing import Any

import torch
from torch.nn import Module

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.per_graph import PerGraph


class DegreeDropEdge(Module):
    r"""Drops interactions, those of popular items and active users first, from the
    `"A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
    Recommendation" <https://arxiv.org/abs/2211.06924>`_ paper.

    Of all edges, :math:`\lfloor (1 - \rho) |\mathcal{E}| \rfloor` are kept, drawn
    without replacement in proportion to :math:`1 / \sqrt{d_u d_i}`, and normalized
    anew by the degrees that are left. A draw holds until the next call of
    :meth:`train`, so for one epoch of :func:`~lgmrec_pyg.training.fit`, and replaces
    the previous one in place, as a captured step needs. In evaluation, all edges
    are kept.

    Args:
        p (float): The share :math:`\rho` of edges to drop.

    Shapes:
        - **input:** a :class:`~lgmrec_pyg.graph.BipartiteGraph`
        - **output:** a :class:`~lgmrec_pyg.graph.BipartiteGraph`

    Raises:
        ValueError: If :obj:`p` is not in :math:`[0, 1)`.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"'p' needs to be in [0, 1) (got {p})")
        self.p = p
        self._seed: int | None = None
        self._drawn = PerGraph(self.draw)

    def train(self, mode: bool = True) -> 'DegreeDropEdge':
        r"""Also draws the edges to keep, if :obj:`mode` is :obj:`True`."""
        super().train(mode)
        if mode and self.p > 0:
            # A seed, since the graph is yet unknown before the first epoch, and a
            # continued run needs the random numbers of one that was not stopped.
            self._seed = int(torch.randint(2**62, ()))
            if self._drawn.last is not None:
                graph, kept = self._drawn.last
                for old, new in zip(_flat(kept), _flat(self.draw(graph)), strict=True):
                    old.copy_(new)
                # The same tensors in another tuple: layers remember what they made of
                # the last one.
                self._drawn.last = graph, kept._replace()
        return self

    def forward(self, graph: BipartiteGraph) -> BipartiteGraph:
        if not self.training or self.p == 0:
            return graph
        return self._drawn(graph)

    def draw(self, graph: BipartiteGraph) -> BipartiteGraph:
        r"""The edges that the present seed keeps."""
        if self._seed is None:
            self._seed = int(torch.randint(2**62, ()))
        csr = graph.to_user.csr
        user, item = csr.row, csr.col
        generator = torch.Generator(item.device).manual_seed(self._seed)
        degree = graph.to_user.degree[user] * graph.to_item.degree[item]
        # The first of exponential clocks ring as if drawn without replacement.
        clock = torch.empty_like(degree, dtype=torch.float32)
        clock = clock.exponential_(generator=generator) * degree.sqrt()
        num_kept = item.numel() - math.ceil(self.p * item.numel() - 1e-9)
        kept = clock.topk(num_kept, largest=False).indices.sort().values
        confidence = user.new_ones(user.numel())
        if graph.confidence is not None:
            confidence = graph.confidence
        return BipartiteGraph.from_confidence(
            torch.stack([user[kept], item[kept]]),
            confidence[kept],
            graph.num_users,
            graph.num_items,
            dtype=None if csr.value is None else csr.value.dtype,
        )

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p})'


def _flat(graph: BipartiteGraph) -> list[Any]:
    return [x for csr in graph.to_item for x in (csr.rowptr, csr.col, csr.value)]
