r"""Top-k for everyone: users per second, memory, and exact against approximate.

    python -m benchmarks.serving --quick
    python -m benchmarks.serving --users 1000000 --items 200000

Embeddings are drawn around common centers, with items of different length. The
exact side ranks all items for all users and writes them to Parquet; both sides
rank them for a sample of users, whose items show the recall of the index. Memory
is resident memory (Linux only) at its peak, beyond libraries and embeddings.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from benchmarks.memory import MIB, current_memory, peak_memory, reset_peak
from benchmarks.report import Report, suite_parser
from lgmrec_pyg.recommend import Recommender, ann_recall, build_index

NUM_CENTERS = 500
NUM_RECALL = 1000
CPU = torch.device('cpu')


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('serving', __doc__, device=False, compares=False)
    parser.add_argument('--users', type=int, help='(default: 100,000)')
    parser.add_argument('--items', type=int, help='(default: 200,000)')
    parser.add_argument('--dim', type=int, default=64)
    parser.add_argument('--k', type=int, default=20)
    parser.add_argument('--seen', type=int, default=10, help='items a user has')
    parser.add_argument('--sample', type=int, default=20_000, help='users to compare')
    args = parser.parse_args(argv)
    args.users = args.users or (10_000 if args.quick else 100_000)
    args.items = args.items or (20_000 if args.quick else 200_000)
    with Report('serving', args) as report:
        case = {'users': args.users, 'items': args.items, 'dim': args.dim, 'k': args.k}
        user_emb, item_emb = draw_embeddings(args.users, args.items, args.dim)
        reset_peak(CPU)
        before = current_memory(CPU)
        recommender = Recommender(
            user_emb, item_emb, seen=draw_pairs(args.users, args.items, args.seen)
        )
        row = measure_parquet(recommender, args.k)
        row['beyond_embeddings_mib'] = (peak_memory(CPU) - before) / MIB
        add(report, {**case, 'candidate': 'parquet', **row})
        rows = torch.randperm(args.users)[: args.sample]
        for name, row in compare(recommender, rows, args.k).items():
            add(report, {**case, 'candidate': name, **row})


def measure_parquet(recommender: Recommender, k: int) -> dict[str, float]:
    r"""Writes the top :obj:`k` of all users to a temporary file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'top.parquet')
        seconds = timed(lambda: recommender.to_parquet(path, k))
        size = os.path.getsize(path)
    return {
        'seconds': seconds,
        'users_per_second': len(recommender.users) / seconds,
        'recall': 1.0,
        'file_mib': size / MIB,
        'beyond_embeddings_mib': float('nan'),
    }


def compare(
    recommender: Recommender, rows: Tensor, k: int
) -> dict[str, dict[str, float]]:
    r"""Ranks items for some users by all items, and by an index of them."""
    index = None
    sides = {'exact': (None, 1.0)}
    start = time.perf_counter()
    try:
        index = build_index(recommender.item_emb)
    except ImportError as error:
        print(f'  ann        left out: {error}')
    else:
        print(f'  index built in {time.perf_counter() - start:.1f} s')
        sample = recommender.user_emb[rows[:NUM_RECALL]]
        sides['ann'] = (index, ann_recall(index, sample, recommender.item_emb, k))
    out = {}
    for name, (side, recall) in sides.items():
        recommender.rank(rows[:256], k, index=side)
        seconds = timed(partial(recommender.rank, rows, k, index=side))
        out[name] = {
            'seconds': seconds,
            'users_per_second': rows.numel() / seconds,
            'recall': recall,
            'file_mib': float('nan'),
            'beyond_embeddings_mib': float('nan'),
        }
    return out


def draw_embeddings(num_users: int, num_items: int, dim: int) -> tuple[Tensor, Tensor]:
    r"""Embeddings around common centers; the length of those of items varies."""
    centers = torch.randn(NUM_CENTERS, dim)
    user_emb = torch.randn(num_users, dim).add_(draw_rows(centers, num_users))
    item_emb = torch.randn(num_items, dim).add_(draw_rows(centers, num_items))
    return user_emb, item_emb.mul_(torch.rand(num_items, 1) + 0.5)


def draw_rows(centers: Tensor, num_rows: int) -> Tensor:
    return centers[torch.randint(centers.size(0), (num_rows,))]


def draw_pairs(num_users: int, num_items: int, num_seen: int) -> Tensor:
    r"""Items that users have, some of them twice."""
    user = torch.arange(num_users).repeat_interleave(num_seen)
    return torch.stack([user, torch.randint(num_items, (user.numel(),))])


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def add(report: Report, row: dict[str, object]) -> None:
    line = f'  {row["candidate"]:10s} {row["users_per_second"]:10,.0f} users/s'
    line += f'  {row["seconds"]:8.1f} s  recall {row["recall"]:.4f}'
    memory = row['beyond_embeddings_mib']
    if memory == memory:
        line += f'  {memory:,.0f} MiB beyond the embeddings'
    print(line, flush=True)
    report.add(row)
