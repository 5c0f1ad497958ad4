r"""What training at a size that was not measured would need, computed.

    python -m benchmarks.scale.needs --edges 1e9 --processes 16
    python -m benchmarks.scale.needs --edges 1e9 --processes 16 --measured scale.json

Bytes an edge and a node are those of the tensors of a small graph and model. Times and
traffic, of the JSON file of ``benchmarks.scale``, are those of its largest graph.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from torch import Tensor
from torch.utils._pytree import tree_leaves

from benchmarks.report import OUTPUT
from benchmarks.scale.worker import FEATURES, make_graph
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import LGMRec

GIB = 2**30
SMALL = 100_000
STATES = 3  # A weight, and the two averages that Adam keeps of its gradients.


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser('benchmarks.scale.needs', description=__doc__)
    parser.add_argument('--edges', type=float, nargs='+', default=[1e7, 1e8, 1e9])
    parser.add_argument('--users', type=float, help='default: a tenth of the edges')
    parser.add_argument('--items', type=float, help='default: a fiftieth')
    parser.add_argument('--processes', type=int, default=16)
    parser.add_argument('--measured', metavar='FILE', help=f'e.g. {OUTPUT}/scale.json')
    args = parser.parse_args(argv)
    measured = []
    if args.measured is not None:
        with open(args.measured, encoding='utf-8') as file:
            measured = json.load(file)
    constants = bytes_of_parts()
    table = {
        f'{edges:.0e} edges': needs(
            edges,
            args.users or edges / 10,
            args.items or edges / 50,
            args.processes,
            constants,
            measured,
        )
        for edges in args.edges
    }
    print('Computed, not measured:')
    print(pd.DataFrame(table).map('{:,.4g}'.format).to_string())


def needs(
    edges: float,
    users: float,
    items: float,
    processes: int,
    constants: dict[str, float],
    measured: Iterable[dict[str, Any]] = (),
) -> dict[str, float]:
    r"""Memory, traffic and time of a size, in GiB and hours."""
    tables = STATES * (users + items) * constants['node'] / GIB
    graph = edges * constants['edge'] / GIB
    features = items * constants['features'] / GIB
    out = {
        'tables and Adam, GiB': tables,
        'graph, GiB': graph,
        'features, GiB': features,
        f'tables a process, {processes} by columns or rows': tables / processes,
        f'all a process, {processes} by columns': tables / processes + graph,
        f'all a process, {processes} by rows': (tables + graph + features) / processes,
    }
    # Every layer gathers what other processes hold, and scatters its gradient.
    layer = (users + items) * constants['node'] * (processes - 1) / processes
    layers = 2 + 2 * len(FEATURES)
    out['sent a step by a process, full graph by rows, GiB'] = 2 * layers * layer / GIB
    for row in sorted(measured, key=lambda row: row['edges']):
        if row['error']:
            continue
        case = f'{row["candidate"]}, as in {row["processes"]} of {row["edges"]:.0e}'
        if row['candidate'] == 'sampled':
            out[f'hours an epoch, {case}'] = row['us_per_edge'] * edges / 3.6e9
        if row['processes'] > 1:
            out[f'sent a step by a process, {case}, GiB'] = row['sent_mib'] / 1024
    return out


def bytes_of_parts() -> dict[str, float]:
    r"""The bytes of an edge, of a row of a table, and of the features of an item."""
    data = make_graph(SMALL, seed=0)
    x_dict, graph = model_inputs(data)
    nodes = data['user'].num_nodes + data['item'].num_nodes
    model = LGMRec.from_data(data)
    tables = model.user_embedding.weight, model.item_embedding.weight
    return {
        'edge': _size([graph.interactions, data.edge_index_dict]) / SMALL,
        'node': _size(tables) / nodes,
        'features': _size(x_dict) / data['item'].num_nodes,
    }


def _size(value: Any) -> int:
    tensors = [x for x in tree_leaves(value) if isinstance(x, Tensor)]
    return sum({x.data_ptr(): x.nbytes for x in tensors}.values())


if __name__ == '__main__':
    main()
