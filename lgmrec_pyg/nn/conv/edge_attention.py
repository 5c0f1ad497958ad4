import torch
from torch import Tensor
from torch.nn import Linear, Module

from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn.per_graph import PerGraph
from lgmrec_pyg.ops import EdgePattern, sddmm, spmm

CLIP = 10.0
EPS = 1e-8


class EdgeAttention(Module):
    r"""Attention of users to their items and of items to their users, from the
    `"Structurally Refined Graph Transformer for Multimodal Recommendation"
    <https://arxiv.org/abs/2511.00584>`_ paper.

    .. math::
        \mathbf{x}^{\prime}_r = \Vert_{h} \sum_{c \in \mathcal{N}(r)}
        \frac{e_{rc}}{\epsilon + \sum_{c^{\prime} \in \mathcal{N}(r)}
        e_{rc^{\prime}}} \mathbf{v}_c, \qquad e_{rc} = \exp(\mathrm{clip}(
        \mathbf{q}_r^{\top} \mathbf{k}_c, -10, 10))

    with :math:`\epsilon = 10^{-8}`. Users and items share the projections, inner
    products are not scaled by the width, and weights of edges do not count. Sums are in
    single precision at least.

    Args:
        channels (int): The embedding size :math:`d`.
        heads (int, optional): The number of heads. (default: :obj:`4`)

    Shapes:
        - **input:** user features :math:`(|\mathcal{U}|, d)`, item features
          :math:`(|\mathcal{I}|, d)`, a :class:`~lgmrec_pyg.graph.BipartiteGraph`
        - **output:** the same shapes

    Raises:
        ValueError: If :obj:`heads` does not divide :obj:`channels`.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        if channels % heads != 0:
            raise ValueError(f"'heads' needs to divide {channels} (got {heads})")
        self.heads = heads
        self.query = Linear(channels, channels, bias=False)
        self.key = Linear(channels, channels, bias=False)
        self.value = Linear(channels, channels, bias=False)
        self._edges = PerGraph(_patterns)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (Xavier uniform)."""
        for module in (self.query, self.key, self.value):
            torch.nn.init.xavier_uniform_(module.weight)

    def forward(
        self, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
    ) -> tuple[Tensor, Tensor]:
        to_user, to_item = self._edges(graph)
        return (
            self.attend(x_user, x_item, to_user),
            self.attend(x_item, x_user, to_item),
        )

    def attend(self, x: Tensor, source: Tensor, edges: EdgePattern) -> Tensor:
        r"""One direction."""
        parts = self.query(x), self.key(source), self.value(source)
        dtype = torch.promote_types(parts[0].dtype, torch.float)
        heads = (part.to(dtype).chunk(self.heads, dim=1) for part in parts)
        one = parts[2].new_ones(source.size(0), 1, dtype=dtype)
        out = []
        for query, key, value in zip(*heads, strict=True):
            weight = sddmm(edges, query, key).clamp(-CLIP, CLIP).exp()
            total = spmm(edges, one, weight) + EPS
            out.append(spmm(edges, value, weight) / total)
        return torch.cat(out, dim=1).to(parts[0].dtype)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.query.in_features}, heads={self.heads})'
        )


def _patterns(graph: BipartiteGraph) -> list[EdgePattern]:
    return [EdgePattern.from_csr(x.csr) for x in (graph.to_user, graph.to_item)]
