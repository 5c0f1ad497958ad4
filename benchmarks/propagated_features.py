r"""The modality branch, propagated in every step or once on the features.

    python -m benchmarks.propagated_features --quick
    python -m benchmarks.propagated_features --edges 1e5 1e6

The branch is linear, so that its propagation commutes with the projection: that of the
features can be done once. A step then projects them, for all nodes or only for those of
a batch, and no step propagates them. Forward and backward, without the loss.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.harness import Call
from benchmarks.report import Report, suite_parser
from benchmarks.scale.worker import FEATURES, make_graph
from lgmrec_pyg.graph import MultimodalGraph, model_inputs
from lgmrec_pyg.nn import (
    BipartiteConv,
    LocalPropagation,
    ModalityEncoder,
    ModalityProjection,
)

WIDTH, HYPEREDGES, LAYERS = 64, 4, 2


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('propagated_features', __doc__)
    parser.add_argument('--edges', type=float, nargs='+')
    parser.add_argument('--batch-size', type=int, default=2048)
    args = parser.parse_args(argv)
    sizes = [int(x) for x in args.edges or ([1e4] if args.quick else [1e5, 1e6])]
    with Report('propagated_features', args) as report:
        for edges in sizes:
            data = make_graph(edges, args.seed).to(report.device)
            x_dict, graph = model_inputs(data)
            for name, width in FEATURES.items():
                calls = _candidates(x_dict[name], graph, name, args.batch_size)
                report.measure({'edges': edges, 'width': width}, calls)


def propagated(x: Tensor, graph: MultimodalGraph, name: str) -> Tensor:
    r"""The features of users and items, propagated."""
    conv, degree = BipartiteConv(norm=None), graph.modality[name].user_degree
    mean = conv(x, graph.interactions.to_user.unweighted()) / degree.to(x.dtype)
    return torch.cat(LocalPropagation(LAYERS, 'last')(mean, x, graph.interactions))


def embeddings(x: Tensor, graph: MultimodalGraph, name: str) -> tuple[Tensor, Tensor]:
    r"""What both ways give with the same weights."""
    encoder = ModalityEncoder(x.size(1), WIDTH, HYPEREDGES)
    content = encoder(x, graph.modality[name], graph.interactions)
    pair = content.user, content.item
    every = LocalPropagation(LAYERS, 'last')(*pair, graph.interactions)
    return torch.cat(every), propagated(x, graph, name) @ encoder.projection.weight


def _candidates(
    x: Tensor, graph: MultimodalGraph, name: str, batch_size: int
) -> dict[str, Call]:
    encoder = ModalityEncoder(x.size(1), WIDTH, HYPEREDGES).to(x.device)
    projection = ModalityProjection(x.size(1), WIDTH).to(x.device)
    propagate = LocalPropagation(LAYERS, 'last')
    interactions, modality = graph.interactions, graph.modality[name]
    rows = propagated(x, graph, name)
    index = torch.randint(len(rows), (3 * batch_size,), device=x.device)

    def every_step() -> None:
        content = encoder(x, modality, interactions)
        user, item = propagate(content.user, content.item, interactions)
        (user.sum() + item.sum()).backward()

    def logits_alone() -> None:
        item = encoder.projection(x)[:, WIDTH:].contiguous()
        user = encoder.conv(item, interactions.to_user.unweighted())
        (user.sum() + item.sum()).backward()

    def once() -> None:
        logits_alone()
        projection(rows).sum().backward()

    def once_for_batch() -> None:
        logits_alone()
        projection(rows[index]).sum().backward()

    return {
        'every step': every_step,
        'once': once,
        'once, rows of the batch': once_for_batch,
    }


if __name__ == '__main__':
    main()
