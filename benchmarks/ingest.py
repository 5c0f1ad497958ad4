r"""Files of many interactions to a graph: time and peak memory.

    python -m benchmarks.ingest --quick
    python -m benchmarks.ingest --rows 1e8
    python -m benchmarks.ingest --rows 1e7 --format csv --candidates stream whole

Rows with string ids, ten a user and fifty an item, are drawn by a power law and
written to a folder of Parquet files, or of one CSV file. The graph is built by parts
(stream), and of a table that pandas has read (whole), each in a process of its own,
whose resident memory is measured (Linux only).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.graphs import draw_nodes
from benchmarks.report import Report, suite_parser
from benchmarks.resident import MIB, current_memory, peak_memory
from lgmrec_pyg.datasets import graph_from_interactions
from lgmrec_pyg.graph import INTERACTS

FILE_ROWS = 10**7
GROUP_ROWS = 10**6
CANDIDATES = ('stream', 'whole')


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('ingest', __doc__, device=False, compares=False)
    parser.add_argument('--rows', type=float, nargs='*')
    parser.add_argument('--format', choices=['parquet', 'csv'], default='parquet')
    parser.add_argument('--split', default='random')
    parser.add_argument(
        '--candidates', nargs='*', choices=CANDIDATES, default=['stream']
    )
    parser.add_argument('--folder', help='keeps the files here, and uses them again')
    args = parser.parse_args(argv)
    sizes = [int(x) for x in args.rows or ([1e5] if args.quick else [1e7])]
    with Report('ingest', args) as report, tempfile.TemporaryDirectory() as temporary:
        for num_rows in sizes:
            name = f'{args.format}-{num_rows}'
            path = os.path.join(args.folder or temporary, name)
            if not os.path.exists(path):
                with ProcessPoolExecutor(1, get_context('spawn')) as pool:
                    pool.submit(
                        write_rows, path, args.format, num_rows, args.seed
                    ).result()
            for candidate in args.candidates:
                with ProcessPoolExecutor(1, get_context('spawn')) as pool:
                    row = pool.submit(measure, path, candidate, args).result()
                case = {'rows': num_rows, 'format': args.format, 'split': args.split}
                report.add({**case, 'candidate': candidate, **row})
                print(candidate, ', '.join(f'{k} {x:.5g}' for k, x in row.items()))


def write_rows(path: str, kind: str, num_rows: int, seed: int) -> None:
    r"""Writes rows with ids of ten characters: files in a folder."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    num_users, num_items = max(2, num_rows // 10), max(2, num_rows // 50)
    generator = torch.Generator().manual_seed(seed)
    users, items = _codes(num_users, 'U'), _codes(num_items, 'B')
    schema = pa.schema(
        [('user_id', pa.string()), ('item_id', pa.string()), ('time', pa.int64())]
    )
    partial = f'{path}.partial'
    os.makedirs(partial)
    writer: Any = None
    for start in range(0, num_rows, GROUP_ROWS):
        count = min(GROUP_ROWS, num_rows - start)
        user = draw_nodes(num_users, 0.4, count, generator).numpy()
        item = draw_nodes(num_items, 0.8, count, generator).numpy()
        moment = torch.randint(2**31, (count,), generator=generator).numpy()
        table = pa.table([users.take(user), items.take(item), moment], schema=schema)
        if start % FILE_ROWS == 0 and writer is not None:
            writer.close()
        if start % FILE_ROWS == 0:
            name = os.path.join(partial, f'{start:012}.{kind}')
            write = csv.CSVWriter if kind == 'csv' else parquet.ParquetWriter
            writer = write(name, schema)
        writer.write_table(table)
    writer.close()
    os.rename(partial, path)


def measure(path: str, candidate: str, args: argparse.Namespace) -> dict[str, float]:
    r"""Builds the graph in this process."""
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    device = torch.device('cpu')
    imported = current_memory(device)
    start = time.perf_counter()
    data = graph_from_interactions(
        path if candidate == 'stream' else _read_whole(path),
        timestamp='time' if args.split == 'time' else None,
        split=args.split,
        seed=args.seed,
    )
    seconds = time.perf_counter() - start
    size = sum(file.stat().st_size for file in os.scandir(path))
    store = data[INTERACTS]
    pairs = store.edge_index, store.val_edge_label_index, store.test_edge_label_index
    return {
        'file_mib': size / MIB,
        'users': data['user'].num_nodes,
        'items': data['item'].num_nodes,
        'pairs': sum(x.size(1) for x in pairs),
        'seconds': seconds,
        'imported_mib': imported / MIB,
        'peak_mib': peak_memory(device) / MIB,
    }


def _read_whole(path: str) -> pd.DataFrame:
    names = sorted(file.path for file in os.scandir(path))
    if names[0].endswith('parquet'):
        return pd.read_parquet(path)
    return pd.concat([pd.read_csv(x, dtype=str) for x in names], ignore_index=True)


def _codes(num_nodes: int, letter: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    # Neighbors in the order of ids have nothing to do with each other.
    number = np.arange(num_nodes) * 2_654_435_761 % 10**9
    text = pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 9, '0')
    return pc.binary_join_element_wise(letter, text, '')


if __name__ == '__main__':
    main()
