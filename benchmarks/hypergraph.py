r"""Hypergraph convolution: dense memberships against scattered incidences.

    python -m benchmarks.hypergraph --quick
    python -m benchmarks.hypergraph --hyperedges 64 256 --per-node 1 4 16

Nodes belong to the ``per-node`` hyperedges of their largest memberships. The
dense form multiplies all memberships, the zeros included; the scattered form
gathers and scatters only those that are kept. Both return the same numbers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.harness import Call
from benchmarks.report import Report, suite_parser
from lgmrec_pyg.nn import SoftHypergraphConv, SparseMembership

PASSES = ['forward', 'forward+backward']


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('hypergraph', __doc__)
    parser.add_argument('--nodes', nargs='*', type=int)
    parser.add_argument('--hyperedges', nargs='*', type=int)
    parser.add_argument('--per-node', nargs='*', type=int)
    parser.add_argument('--width', type=int, default=64)
    args = parser.parse_args(argv)
    quick = args.quick
    args.nodes = args.nodes or ([7000] if quick else [7000, 40000])
    args.hyperedges = args.hyperedges or ([4, 64] if quick else [4, 16, 64, 256, 1024])
    args.per_node = args.per_node or ([1, 4] if quick else [1, 2, 4, 16])
    with Report('hypergraph', args) as report:
        for nodes in args.nodes:
            for hyperedges in args.hyperedges:
                for per_node in args.per_node:
                    if per_node <= hyperedges:
                        run_case(report, nodes, hyperedges, per_node, args.width)


def run_case(
    report: Report, nodes: int, hyperedges: int, per_node: int, width: int
) -> None:
    x = torch.randn(nodes, width, device=report.device)
    logits = torch.randn(nodes, hyperedges, device=report.device)
    sparse = SparseMembership.from_dense(logits.softmax(dim=1), k=per_node)
    dense = torch.zeros_like(logits)
    dense[tuple(sparse.hyperedge_index)] = sparse.weight
    for name in PASSES:
        case = {
            'nodes': nodes,
            'hyperedges': hyperedges,
            'per_node': per_node,
            'width': width,
            'pass': name,
        }
        calls = {
            'dense': make_call(x, dense, name == PASSES[1]),
            'scatter': make_call(x, sparse, name == PASSES[1]),
        }
        report.measure(case, calls)


def make_call(x: Tensor, membership: Tensor | SparseMembership, backward: bool) -> Call:
    r"""One convolution, with the gradients of features and memberships if
    :obj:`backward` is :obj:`True`.
    """
    conv = SoftHypergraphConv()
    if not backward:
        return lambda: conv(x, membership)
    x = x.clone().requires_grad_()
    if isinstance(membership, Tensor):
        weight = membership = membership.clone().requires_grad_()
    else:
        weight = membership.weight.clone().requires_grad_()
        membership = membership._replace(weight=weight)
    grad = torch.ones_like(x)
    return lambda: torch.autograd.grad(conv(x, membership), [x, weight], grad)


if __name__ == '__main__':
    main()
