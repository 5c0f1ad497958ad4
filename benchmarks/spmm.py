r"""Sparse propagation: every kernel over width, index and value type.

    python -m benchmarks.spmm --quick
    python -m benchmarks.spmm --data DIR --graphs baby sports clothing
    python -m benchmarks.spmm --ogb ogbl-collab ogbn-products --ogb-root DIR
    python -m benchmarks.spmm --graphs --sizes 1e5 1e6 1e7 --widths 64

Reported for each kernel: time; cost per edge; the bandwidth that the rows
gathered for all edges and the rows written amount to, and its share of the
bandwidth of a plain copy (more than 1 where caches serve repeated rows); the
bandwidth that reading and writing everything once would need; peak memory.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.graphs import (
    Graph,
    compress,
    data_folder,
    free_memory,
    load_graph,
    power_law_graph,
)
from benchmarks.harness import Call, Timing
from benchmarks.ogb_graphs import ogb_graph
from benchmarks.profiling import copy_bandwidth
from benchmarks.report import Report, suite_parser
from benchmarks.spmm_candidates import kernels, propagation
from lgmrec_pyg.ops import choose_kernel

WIDTHS = [4, 8, 16, 32, 64, 128, 256, 512]
SIZES = [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8]
PASSES = ['forward', 'forward+backward']
DTYPES = {
    'int32': torch.int32,
    'int64': torch.int64,
    'float32': torch.float32,
    'float64': torch.float64,
    'bfloat16': torch.bfloat16,
}
# Bytes per edge of drawing a graph: keys, draws and sorted copies.
GENERATION_BYTES = 100


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    device = torch.device(args.device)
    with Report('spmm', args) as report:
        copy = copy_bandwidth(device, 2**26 if args.quick else None)
        print(f'A plain copy reads and writes {copy / 1e9:.1f} GB/s')
        for graph in iter_graphs(args):
            for index in args.index:
                for value in args.value:
                    run_graph(report, graph, index, value, copy, args)
        print_choices(report.rows)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = suite_parser('spmm', __doc__)
    parser.add_argument('--data', metavar='DIR', help='the folder of real graphs')
    parser.add_argument('--graphs', nargs='*', help='names of real graphs')
    parser.add_argument('--ogb', nargs='*', default=[], help='names of OGB graphs')
    parser.add_argument('--ogb-root', default='dataset')
    parser.add_argument('--sizes', nargs='*', type=float, help='generated edges')
    parser.add_argument('--widths', nargs='*', type=int)
    parser.add_argument('--kernels', nargs='*', choices=kernels('cuda'))
    parser.add_argument('--index', nargs='*', choices=['int32', 'int64'])
    parser.add_argument('--value', nargs='*', choices=list(DTYPES)[2:])
    parser.add_argument('--passes', nargs='+', choices=PASSES, default=PASSES)
    args = parser.parse_args(argv)
    args.data = data_folder(args.data)
    quick = args.quick
    if args.graphs is None:
        found = args.data is not None and os.path.isdir(os.path.join(args.data, 'baby'))
        names = ['baby'] if quick else ['baby', 'sports', 'clothing']
        args.graphs = names if found else []
    if args.sizes is None:
        args.sizes = [1e5] if quick else SIZES
    if args.kernels is None:
        args.kernels = kernels(args.device)
    args.widths = args.widths or ([4, 64] if quick else WIDTHS)
    args.index = args.index or (['int64'] if quick else ['int32', 'int64'])
    args.value = args.value or (['float32'] if quick else ['float32', 'bfloat16'])
    return args


def iter_graphs(args: argparse.Namespace) -> Iterator[Graph]:
    r"""The graphs to measure, each loaded when its turn comes."""
    for name in args.graphs:
        yield load_graph(name, args.data)
    for name in args.ogb:
        yield ogb_graph(name, args.ogb_root)
    for size in args.sizes:
        if size * GENERATION_BYTES > free_memory(torch.device('cpu')):
            print(f'Stopped at {size:.0e} edges: not enough memory to draw them')
            return
        yield power_law_graph(int(size), seed=args.seed)


def run_graph(
    report: Report,
    graph: Graph,
    index: str,
    value: str,
    copy: float,
    args: argparse.Namespace,
) -> None:
    r"""Measures all widths, passes and kernels on one graph."""
    dtypes = DTYPES[index], DTYPES[value]
    adj = compress(graph, *dtypes, reverse=False).to(report.device)
    reverse = compress(graph, *dtypes, reverse=True).to(report.device)
    for width in args.widths:
        x = torch.randn(adj.size(1), width, device=report.device).to(dtypes[1])
        for name in args.passes:
            case = {
                'graph': graph.name,
                'edges': graph.num_edges,
                'destinations': adj.size(0),
                'sources': adj.size(1),
                'width': width,
                'index': index,
                'value': value,
                'pass': name,
                'chosen': choose_kernel(x),
            }
            calls = {
                kernel: make_call(kernel, adj, reverse, x, backward=name == PASSES[1])
                for kernel in args.kernels
                if kernel in kernels(args.device, index == 'int64')
                and fits(kernel, graph.num_edges, x)
            }
            traffic = gathered_bytes(adj, x), compulsory_bytes(adj, x)
            if name == PASSES[1]:
                grad = x.new_empty(1, width).expand(adj.size(0), width)
                traffic = (
                    traffic[0] + gathered_bytes(reverse, grad),
                    traffic[1] + compulsory_bytes(reverse, grad),
                )
            report.measure(case, calls, _derive(traffic, graph.num_edges, copy))


def make_call(
    kernel: str, adj: Tensor, reverse: Tensor, x: Tensor, backward: bool
) -> Call:
    r"""A forward, or a forward and a backward, by one kernel."""
    propagate = propagation(kernel, adj, reverse)
    if not backward:
        return lambda: propagate(x)
    x = x.clone().requires_grad_()
    grad = x.new_ones(adj.size(0), x.size(1))
    return lambda: torch.autograd.grad(propagate(x), x, grad)


def gathered_bytes(adj: Tensor, x: Tensor) -> int:
    r"""The traffic if no row were cached: indices and values, a row of
    :obj:`x` for every edge, and the output.
    """
    row = x.size(1) * x.element_size()
    return _structure_bytes(adj) + (adj.values().numel() + adj.size(0)) * row


def compulsory_bytes(adj: Tensor, x: Tensor) -> int:
    r"""The traffic if every row were read once and then cached."""
    row = x.size(1) * x.element_size()
    return _structure_bytes(adj) + (adj.size(1) + adj.size(0)) * row


def fits(kernel: str, num_edges: int, x: Tensor) -> bool:
    r"""Whether the messages that scattering stores fit into memory."""
    if kernel != 'scatter':
        return True
    messages = 4 * num_edges * x.size(1) * x.element_size()
    return messages < free_memory(x.device)


def print_choices(rows: Sequence[dict[str, object]]) -> None:
    r"""How far the kernel that the library chooses is from the fastest."""
    ratios: dict[str, float] = {}
    for row in rows:
        if row['candidate'] == row['chosen']:
            keys = ('graph', 'width', 'index', 'value', 'pass')
            ratios[' '.join(str(row[key]) for key in keys)] = float(
                str(row['times_fastest'])
            )
    if not ratios:
        return
    within = sum(ratio <= 1.05 for ratio in ratios.values())
    print(f'The chosen kernel is within 5 % of the fastest in {within}/{len(ratios)}')
    for case, ratio in sorted(ratios.items(), key=lambda x: -x[1])[:10]:
        if ratio > 1.05:
            print(f'  {ratio:.2f} times the fastest: {case}')


def _structure_bytes(adj: Tensor) -> int:
    parts = adj.crow_indices(), adj.col_indices(), adj.values()
    return sum(part.numel() * part.element_size() for part in parts)


def _derive(
    traffic: tuple[int, int], num_edges: int, copy: float
) -> Callable[[str, Timing], dict[str, object]]:
    def derive(name: str, timing: Timing) -> dict[str, object]:
        seconds = timing.median / 1e3
        return {
            'ns_per_edge': 1e9 * seconds / num_edges,
            'gathered_gbs': traffic[0] / seconds / 1e9,
            'share_of_copy': traffic[0] / seconds / copy,
            'compulsory_gbs': traffic[1] / seconds / 1e9,
            'copy_gbs': copy / 1e9,
        }

    return derive


if __name__ == '__main__':
    main()
