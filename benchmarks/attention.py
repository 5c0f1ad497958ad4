r"""Attention along edges: sampled and sparse products against messages of every edge.

    python -m benchmarks.attention --quick
    python -m benchmarks.attention --sizes 1e5 1e6 --heads 4 --threads 1

Both directions of a bipartite graph, forward and backward. ``library`` is
:class:`lgmrec_pyg.nn.EdgeAttention`; ``gathered`` the same equation with queries, keys
and values read for every edge and scattered, as layers usually do; ``pyg`` the closest
layer of PyTorch Geometric, :class:`torch_geometric.nn.TransformerConv`, which divides
by the root of the width, has biases, and knows no clipping.
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch_geometric.nn import TransformerConv
from torch_geometric.utils import scatter

from benchmarks.graphs import Graph, free_memory, power_law_graph
from benchmarks.harness import Call
from benchmarks.report import Report, suite_parser
from lgmrec_pyg.graph import BipartiteGraph
from lgmrec_pyg.nn import EdgeAttention
from lgmrec_pyg.nn.conv.edge_attention import CLIP, EPS
from lgmrec_pyg.ops import Adjacency

# Rows that the usual form holds at once for every edge, gradients included.
STORED_ROWS = 12


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('attention', __doc__)
    parser.add_argument('--sizes', nargs='*', type=float)
    parser.add_argument('--heads', nargs='*', type=int)
    parser.add_argument('--width', type=int, default=64)
    args = parser.parse_args(argv)
    args.sizes = args.sizes or ([1e5] if args.quick else [1e5, 1e6])
    args.heads = args.heads or ([4] if args.quick else [1, 4])
    with Report('attention', args) as report:
        for size in args.sizes:
            for heads in args.heads:
                run_case(report, power_law_graph(int(size)), heads, args)


def run_case(
    report: Report, graph: Graph, heads: int, args: argparse.Namespace
) -> None:
    case = {'graph': graph.name, 'edges': graph.num_edges}
    case |= {'heads': heads, 'width': args.width}
    inputs = user, item = [
        torch.randn(n, args.width, device=report.device, requires_grad=True)
        for n in graph.size
    ]
    layer = EdgeAttention(args.width, heads).to(report.device)
    edge_index = graph.edge_index.to(report.device)
    size = graph.size[::-1]
    there = Adjacency.from_adj(edge_index, size=size)
    bipartite = BipartiteGraph(there, there.t())
    candidates: dict[str, Callable[[], Sequence[Tensor]]] = {
        'library': lambda: layer(user, item, bipartite)
    }
    if STORED_ROWS * 4 * graph.num_edges * args.width < free_memory(report.device):
        candidates['gathered'] = lambda: gathered(layer, user, item, bipartite)
        conv = TransformerConv(
            args.width, args.width // heads, heads, root_weight=False
        )
        conv = conv.to(report.device)
        back = edge_index.flip(0)
        candidates['pyg'] = lambda: (
            conv((item, user), back),
            conv((user, item), edge_index),
        )
    report.measure(case, {name: make_call(f, inputs) for name, f in candidates.items()})


def make_call(f: Callable[[], Sequence[Tensor]], inputs: Sequence[Tensor]) -> Call:
    r"""A forward, and a backward to the features."""
    return lambda: torch.autograd.grad([x.sum() for x in f()], inputs)


def gathered(
    layer: EdgeAttention, x_user: Tensor, x_item: Tensor, graph: BipartiteGraph
) -> list[Tensor]:
    r"""The equation of the layer with a message for every edge."""
    out = []
    for x, source, adj in (
        (x_user, x_item, graph.to_user),
        (x_item, x_user, graph.to_item),
    ):
        row, col = adj.csr.row, adj.csr.col
        size = (-1, layer.heads, x.size(1) // layer.heads)
        query = layer.query(x).view(size)[row]
        key, value = (f(source).view(size)[col] for f in (layer.key, layer.value))
        weight = (query * key).sum(dim=-1, keepdim=True).clamp(-CLIP, CLIP).exp()
        total, message = (
            scatter(y, row, dim_size=x.size(0), reduce='sum')
            for y in (weight, weight * value)
        )
        out.append((message / (total + EPS)).flatten(1))
    return out


if __name__ == '__main__':
    main()
