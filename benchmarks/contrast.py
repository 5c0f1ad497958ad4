r"""Hypergraph contrast: every backend over batch sizes and node counts.

    python -m benchmarks.contrast --quick
    python -m benchmarks.contrast --batch 2048 --nodes 20000 --hyperedges 4

Forward and backward of a batch of anchors against all nodes, for embeddings in
factored form (memberships times hyperedge features), in the same form with four of
five memberships dropped, and in general form (any embeddings). ``stored`` is the
loss as usually written, with the scores of the batch against all nodes in memory, and
``bfloat16`` a candidate: the chunks in half precision.
"""

import argparse
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.graphs import free_memory
from benchmarks.harness import Call
from benchmarks.report import Report, suite_parser
from lgmrec_pyg.nn import HypergraphContrast, HypergraphEmbedding
from lgmrec_pyg.ops._infonce import BACKENDS, choose_backend, in_chunks

TEMPERATURE = 0.2
DROPOUT = 0.8
FORMS = ('factored', 'dropped', 'general')
# Score matrices alive at once where they are stored, gradients included.
STORED_MATRICES = 5
CANDIDATE = 'bfloat16'


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('contrast', __doc__)
    parser.add_argument('--batch', nargs='*', type=int)
    parser.add_argument('--nodes', nargs='*', type=int)
    parser.add_argument('--hyperedges', nargs='*', type=int)
    parser.add_argument('--width', type=int, default=64)
    parser.add_argument(
        '--backends', nargs='*', choices=['plain', *BACKENDS, CANDIDATE]
    )
    args = parser.parse_args(argv)
    quick = args.quick
    args.batch = args.batch or ([2048] if quick else [256, 2048, 8192])
    args.nodes = args.nodes or ([7000] if quick else [7000, 20000, 60000, 200000])
    args.hyperedges = args.hyperedges or ([4] if quick else [4, 16, 64])
    if args.backends is None:
        known = [name for name in BACKENDS if name != 'triton' or args.device == 'cuda']
        args.backends = ['plain', *known, CANDIDATE]
    BACKENDS[CANDIDATE] = partial(in_chunks, dtype=torch.bfloat16)
    with Report('contrast', args) as report:
        for batch in args.batch:
            for nodes in args.nodes:
                run_case(report, batch, nodes, args)


def run_case(report: Report, batch: int, nodes: int, args: argparse.Namespace) -> None:
    index = torch.randint(nodes, (batch,), device=report.device)
    stored = STORED_MATRICES * 4 * batch * nodes < free_memory(report.device)
    for hyperedges in args.hyperedges:
        for form in FORMS:
            if form == 'general' and hyperedges != args.hyperedges[0]:
                continue  # The general form does not know of hyperedges.
            factors = [
                draw_factors(nodes, hyperedges, args.width, form == 'dropped', index)
                for _ in range(2)
            ]
            columns = args.width if form == 'general' else min(hyperedges, args.width)
            anchors = torch.empty(0, columns, device=index.device)
            case = {
                'batch': batch,
                'nodes': nodes,
                'width': args.width,
                'form': form,
                'hyperedges': '' if form == 'general' else hyperedges,
                'chosen': choose_backend(anchors, masked=form == 'dropped'),
            }
            calls = {
                name: make_call(name, form, factors, index)
                for name in (*args.backends, 'stored')
                if stored or name not in ('plain', 'stored')
            }
            report.measure(case, calls)


def draw_factors(
    nodes: int, hyperedges: int, width: int, dropped: bool, index: Tensor
) -> HypergraphEmbedding:
    r"""Random memberships and hyperedge features that require gradients."""
    membership = torch.randn(nodes, hyperedges, device=index.device).softmax(dim=1)
    if dropped:
        membership = F.dropout(membership, DROPOUT)
    latent = torch.randn(hyperedges, width, device=index.device)
    return HypergraphEmbedding(
        membership.requires_grad_(), latent.requires_grad_(), masked=dropped
    )


def make_call(
    name: str, form: str, factors: Sequence[HypergraphEmbedding], index: Tensor
) -> Call:
    r"""A forward and a backward of one backend."""
    inputs: Sequence[HypergraphEmbedding | Tensor]
    if form == 'general':
        leaves = [factor.dense().detach().requires_grad_() for factor in factors]
        inputs = leaves
    else:
        inputs = factors
        leaves = [x for factor in factors for x in (factor.membership, factor.latent)]
    if name == 'stored':
        return lambda: torch.autograd.grad(stored_contrast(inputs, index), leaves)
    loss = HypergraphContrast(TEMPERATURE, backend=name)
    return lambda: torch.autograd.grad(loss(*inputs, index), leaves)


def stored_contrast(
    inputs: Sequence[HypergraphEmbedding | Tensor], index: Tensor
) -> Tensor:
    r"""The loss as usually written."""
    anchor, key = (x if isinstance(x, Tensor) else x.dense() for x in inputs)
    anchors, keys = F.normalize(anchor[index]), F.normalize(key)
    positive = torch.exp((anchors * keys[index]).sum(dim=1) / TEMPERATURE)
    every = torch.exp(anchors @ keys.t() / TEMPERATURE).sum(dim=1)
    return -torch.log(positive / every).sum()


if __name__ == '__main__':
    main()
