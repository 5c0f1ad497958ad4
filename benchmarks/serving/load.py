r"""A service under load, over real HTTP on this machine: answers a second, latencies,
memory, what happens under too much load, and while models are exchanged.

    python -m benchmarks.serving.load --quick
    python -m benchmarks.serving.load --workers 2 --rates 100 200 400

`closed` are clients that ask again once they are answered. `rate` are requests at
random times of a stated rate, whose latency counts from the time that they were due.
In `overload`, more clients ask than the service lets in, which it refuses by status
503. In `reload`, clients ask while the embeddings are replaced. Client and service
share the cores. Memory is that of all workers (Linux only).
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import torch

from benchmarks.report import Report, suite_parser
from benchmarks.serving.service import Service, write_run

HUNG_SECONDS = 30.0
NUM_RELOADS = 3


@dataclass
class Answers:
    r"""What came back, and after how many seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    hung: int = 0
    total_seconds: float = 0.0

    def as_row(self) -> dict[str, Any]:
        r"""The columns of the report."""
        ok = self.statuses[200]
        other = sum(self.statuses.values()) - ok - self.statuses[503]
        ms = 1000 * torch.tensor(self.seconds or [float('nan')], dtype=torch.double)
        return {
            'requests': sum(self.statuses.values()) + self.hung,
            'answers_per_second': ok / self.total_seconds,
            'p50_ms': float(ms.quantile(0.5)),
            'p99_ms': float(ms.quantile(0.99)),
            'max_ms': float(ms.max()),
            'status_503': self.statuses[503],
            'status_other': other,
            'hung': self.hung,
        }


class Clients:
    r"""Asks for the items of random users.

    Args:
        service (Service): The service.
        num_users (int): How many users it knows.
        k (int): The number of items to ask for.
    """

    def __init__(self, service: Service, num_users: int, k: int) -> None:
        self.url, self.num_users, self.k = f'{service.url}/recommend', num_users, k

    async def closed(
        self, connections: int, requests: int = 0, seconds: float = 0.0
    ) -> Answers:
        r"""Many clients, each of which waits for its answers."""
        async with self._run(connections) as (session, out):
            end, left = time.monotonic() + seconds, iter(range(requests))

            async def client() -> None:
                while next(left, None) is not None or time.monotonic() < end:
                    await self._ask(session, out, time.perf_counter())

            await asyncio.gather(*(client() for _ in range(connections)))
        return out

    async def rate(self, per_second: float, seconds: float) -> Answers:
        r"""Requests at random times, whether or not earlier ones are answered."""
        async with self._run(1000) as (session, out):
            tasks, due = [], time.perf_counter()
            end = due + seconds
            while (due := due + random.expovariate(per_second)) < end:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.append(asyncio.create_task(self._ask(session, out, due)))
            await asyncio.gather(*tasks)
        return out

    @asynccontextmanager
    async def _run(
        self, connections: int
    ) -> AsyncIterator[tuple[aiohttp.ClientSession, Answers]]:
        out, start = Answers(), time.perf_counter()
        connector = aiohttp.TCPConnector(limit=connections)
        timeout = aiohttp.ClientTimeout(HUNG_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as x:
            yield x, out
            out.total_seconds = time.perf_counter() - start

    async def _ask(
        self, session: aiohttp.ClientSession, out: Answers, since: float
    ) -> None:
        body = {'user': f'user-{random.randrange(self.num_users)}', 'k': self.k}
        try:
            async with session.post(self.url, json=body) as response:
                await response.read()
        except asyncio.TimeoutError:
            out.hung += 1
            return
        out.statuses[response.status] += 1
        if response.status == 200:
            out.seconds.append(time.perf_counter() - since)


def main(argv: Sequence[str] | None = None) -> None:
    parser = suite_parser('serving.load', __doc__, device=False, compares=False)
    parser.add_argument('--users', type=int, default=100_000)
    parser.add_argument('--items', type=int, default=20_000)
    parser.add_argument('--dim', type=int, default=64)
    parser.add_argument('--k', type=int, default=20)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--service-threads', type=int, default=2)
    parser.add_argument('--approximate', action='store_true')
    parser.add_argument('--max-requests', type=int, default=64)
    parser.add_argument('--connections', type=int, default=16)
    parser.add_argument('--requests', type=int, help='(default: 100,000)')
    parser.add_argument('--rates', type=float, nargs='*', default=[100.0, 200.0])
    parser.add_argument('--seconds', type=float, help='of all but `closed` (20)')
    args = parser.parse_args(argv)
    args.requests = args.requests or (2000 if args.quick else 100_000)
    args.seconds = args.seconds or (2.0 if args.quick else 20.0)
    random.seed(args.seed)
    with (
        Report('load', args) as report,
        tempfile.TemporaryDirectory() as folder,
    ):
        write_run(folder, args.users, args.items, args.dim)
        options = {
            'workers': args.workers,
            'threads': args.service_threads,
            'max_requests': args.max_requests,
            'approximate': args.approximate,
            'reload_every': 0.2,
            'log_level': 'warning',
        }
        log = str(Path(folder, 'log.txt'))
        with Service(folder, log, **options) as service:
            measure(report, service, folder, args)
        print(service.read_log(), end='')


def measure(
    report: Report, service: Service, folder: str, args: argparse.Namespace
) -> None:
    r"""Runs all loads, one after another."""
    clients = Clients(service, args.users, args.k)
    case = {name: getattr(args, name) for name in ('users', 'items', 'workers', 'k')}
    case['threads_each'] = args.service_threads
    case['index'] = 'faiss' if args.approximate else 'exact'

    def add(load: str, stated: float, answers: Answers) -> None:
        row = {
            'load': load,
            'stated': stated,
            **answers.as_row(),
            'memory_mib': service.memory_mib(),
            'os_threads': service.num_threads(),
            'lost_workers': service.lost_workers(),
        }
        print(
            f'  {load:8s} {stated:6g} {row["answers_per_second"]:8,.0f} answers/s  '
            f'p50 {row["p50_ms"]:7.1f} ms  p99 {row["p99_ms"]:7.1f}  max '
            f'{row["max_ms"]:7.1f}  503: {row["status_503"]}  other: '
            f'{row["status_other"]}  hung: {row["hung"]}  {row["memory_mib"]:,.0f} MiB '
            f'in {row["os_threads"]} threads',
            flush=True,
        )
        report.add({**case, **row})

    asyncio.run(clients.closed(args.connections, args.requests // 10))  # Warm.
    for _ in range(10):
        answers = asyncio.run(clients.closed(args.connections, args.requests // 10))
        add('closed', args.connections, answers)
    for rate in args.rates:
        add('rate', rate, asyncio.run(clients.rate(rate, args.seconds)))
    crowd = 4 * args.max_requests * args.workers
    add('overload', crowd, asyncio.run(clients.closed(crowd, seconds=args.seconds)))
    add('reload', 4, asyncio.run(reload(clients, folder, args)))


async def reload(clients: Clients, folder: str, args: argparse.Namespace) -> Answers:
    r"""Asks while embeddings are replaced."""
    asked = asyncio.create_task(clients.closed(4, seconds=args.seconds))
    for seed in range(NUM_RELOADS):
        await asyncio.sleep(args.seconds / (NUM_RELOADS + 1))
        sizes = args.users, args.items, args.dim
        await asyncio.to_thread(write_run, folder, *sizes, seed + 1)
    return await asked


if __name__ == '__main__':
    main()
