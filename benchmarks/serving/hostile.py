r"""Hostile requests against a real service: none may end in a status of 500 or above
but 503, in a lost worker, or in a service that no longer answers.

    python -m benchmarks.serving.hostile --requests 100000
    python -m benchmarks.serving.hostile --requests 300 --json hostile.json

Requests are valid ones, mutated: in their JSON, in their bytes, and in what is around
them. Some are sent in pieces, cut off, or never end. Whatever the status, the service
needs to answer valid requests as before, which is checked at the end. Tracebacks in its
log are counted: uvicorn prints one where a broken chunk follows on its own answer.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.service import HOST, Service, write_run_with_graph

SECONDS = 30.0
ATOMS: list[Any] = [
    None, True, False, 0, -1, 1, 7, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5,
    1e308, -1e-320, float('nan'), float('inf'), '', '7', '07', ' 7', 'a\0', '\0',
    '\ud800', '🂡' * 40, 'x' * 512, 'x' * 513, '../../etc/passwd', '/dev/zero',
    'file:///etc/passwd', "'; DROP TABLE users; --", '${jndi:ldap://x}', '%s%n%x', [],
    {}, [[]], [None], [7, '7'], {'a': {}}, 'NaN', 'e' * 5000, '\r\nX: y',
]  # fmt: skip
PATHS = [
    '/recommend', '/recommend/history', '/similar', '/new-item', '/card', '/health',
    '/openapi.json', '/docs', '/', '/../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd',
    '//recommend', '/recommend/', '/recommend?k=1', '/\x00', '/%00', '/%ff', '*', '',
    'http://example.org/', '/' + 'a' * 9000,
]  # fmt: skip
METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE', 'X', '']
TYPES = [
    'application/json', 'application/json; charset=utf-16', 'text/plain', '', 'x' * 999,
    'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
]  # fmt: skip
BODIES = [b'[' * 99_999, b'{"a":' * 9999, b'1' * 5000, b' ' * 9999]
HEADERS = [
    'a: b\r\n' * 20_000, 'a' * 99_999 + ': b\r\n', 'a\0: b\r\n', ': \r\n',
    'a: \xe9\r\n', 'expect: 100-continue\r\n', 'upgrade: websocket\r\n',
]  # fmt: skip
DAMAGES = ('none', 'bytes', 'cut', 'slow', 'length', 'chunked', 'headers', 'garbage')
WEIGHTS = (60, 10, 8, 2, 6, 6, 6, 2)


class Hostile:
    r"""Draws requests.

    Args:
        seed (int): The seed.
        widths (Dict[str, int]): The widths of the features of new items.
    """

    def __init__(self, seed: int, widths: dict[str, int]) -> None:
        self.random, self.widths = random.Random(seed), widths

    def body(self) -> tuple[str, dict[str, Any]]:
        r"""A valid request: its path and its body."""
        draw = self.random
        ids = [draw.randrange(80) for _ in range(draw.choice([1, 2, 20]))]
        path = draw.choice(PATHS[:4])
        features = {
            name: [draw.gauss(0, 1) for _ in range(width)]
            for name, width in self.widths.items()
            if draw.random() < 0.8
        }
        bodies: dict[str, dict[str, Any]] = {
            '/recommend': {'user': ids[0], 'items': ids, 'include_seen': True},
            '/recommend/history': {'items': ids},
            '/similar': {'item': ids[0], 'exclude': ids},
            '/new-item': {'features': features},
        }
        return path, bodies[path] | {'k': draw.choice([1, 20, 1000])}

    def mutated(self, value: Any, depth: int = 0) -> Any:
        r"""The same with something else somewhere in it."""
        draw = self.random
        if draw.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
            if draw.random() < 0.03:
                return [draw.choice(ATOMS)] * draw.choice([1001, 10_001, 70_000])
            return draw.choice(ATOMS)
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        out = value.copy()
        key = draw.choice(keys)
        if isinstance(out, dict) and draw.random() < 0.2:
            extra = draw.choice(['unknown', 'exclude', 'k', 'path', '__class__', ''])
            out[extra] = draw.choice(ATOMS)
        elif draw.random() < 0.1:
            del out[key]
        else:
            out[key] = self.mutated(out[key], depth + 1)
        return out

    def request(self) -> tuple[list[bytes], bool]:
        r"""The pieces of a request, and whether it ends."""
        draw = self.random
        damage = draw.choices(DAMAGES, WEIGHTS)[0]
        if damage == 'garbage':
            return [draw.randbytes(draw.choice([1, 100, 70_000])) + b'\r\n\r\n'], False
        path, value = self.body()
        value = self.mutated(value) if draw.random() < 0.9 else value
        body = json.dumps(value).encode()
        if draw.random() < 0.03:
            body = draw.choice(BODIES)
        if damage == 'bytes':
            wrong = bytearray(body)
            for _ in range(draw.choice([1, 5])):
                wrong[draw.randrange(len(wrong))] = draw.randrange(256)
            body = bytes(wrong)
        method, kind = 'POST', TYPES[0]
        if draw.random() < 0.1:
            method, path = draw.choice(METHODS), draw.choice(PATHS)
        if draw.random() < 0.05:
            kind = draw.choice(TYPES)
        size: Any = len(body)
        if damage == 'length':
            size = draw.choice([-1, 0, 1, size - 1, size + 9, 2**31, 2**64, 'x', ''])
        head = f'{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n'
        head += 'connection: close\r\n'
        if damage == 'headers':
            head += draw.choice(HEADERS)
        if damage == 'chunked':
            head += 'transfer-encoding: chunked\r\n\r\n'
            sizes = [b'%x' % len(body), b'ffffffffffffffff', b'-1', b'g', b'']
            tail = draw.choice([b'\r\n0\r\n\r\n', b'', b'\r\n'])
            body = draw.choice(sizes) + b'\r\n' + body + tail
        else:
            head += f'content-length: {size}\r\n\r\n'
        whole = head.encode('latin-1', 'replace') + body
        if damage == 'cut':
            return [whole[: draw.randrange(len(whole))]], False
        if damage == 'slow':
            place = draw.randrange(len(whole))
            return [whole[:place], whole[place:]], True
        return [whole], damage in ('none', 'bytes')


async def send(port: int, pieces: list[bytes], ends: bool) -> int:
    r"""The status that the service answers with, or 0 if it only hangs up."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.01)
        if not ends:  # Else the service is right to wait for the rest.
            writer.write_eof()
        line = await reader.readline()
        while line.startswith(b'HTTP/1.1 1'):  # To continue: the answer follows.
            while (await reader.readline()).strip():
                pass
            line = await reader.readline()
        await reader.read()
        return int(line.split()[1]) if line.startswith(b'HTTP/1.1 ') else 0
    except (ConnectionError, OSError):
        return 0
    finally:
        writer.close()


async def attack(
    port: int, hostile: Hostile, num_requests: int, connections: int
) -> tuple[Counter[int], list[str]]:
    r"""The count of each status, and the requests that were answered by wrong ones;
    those without an answer count as -1.
    """
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    left = iter(range(num_requests))

    async def client() -> None:
        while next(left, None) is not None:
            pieces, ends = hostile.request()
            try:
                status = await asyncio.wait_for(send(port, pieces, ends), SECONDS)
            except asyncio.TimeoutError:
                status = -1
            statuses[status] += 1
            if status == -1 or (status >= 500 and status != 503):
                wrong.append(f'{status}: {b"".join(pieces)[:2000]!r}')

    await asyncio.gather(*(client() for _ in range(connections)))
    return statuses, wrong


async def ask(port: int, hostile: Hostile, num_requests: int) -> set[int]:
    r"""The statuses of valid requests."""
    out = set()
    for _ in range(num_requests):
        path, value = hostile.body()
        body = json.dumps(value)
        head = f'POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
        head += f'connection: close\r\ncontent-length: {len(body)}\r\n\r\n'
        if value.get('features', True):
            out.add(await send(port, [(head + body).encode()], True))
    return out


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(
        'benchmarks.serving.hostile',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--requests', type=int, default=100_000)
    parser.add_argument('--connections', type=int, default=16)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', help='write the result there')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        widths = write_run_with_graph(folder)
        hostile, log = Hostile(args.seed, widths), str(Path(folder, 'log.txt'))
        options = {'workers': args.workers, 'log_level': 'error'}
        with Service(folder, log, **options) as service:
            before = service.memory_mib()
            statuses, wrong = asyncio.run(
                attack(service.port, hostile, args.requests, args.connections)
            )
            result = {
                'requests': args.requests,
                'statuses': {str(x): statuses[x] for x in sorted(statuses)},
                'wrong': wrong[:20],
                'valid_afterwards': sorted(asyncio.run(ask(service.port, hostile, 50))),
                'lost_workers': service.lost_workers(),
                'memory_mib': [round(before), round(service.memory_mib())],
            }
            result['exit_status'] = service.stop()
        result['tracebacks'] = service.read_log().count('Traceback')
    print(json.dumps(result, indent=2))
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=2))
    return result


if __name__ == '__main__':
    found = main()
    bad = found['wrong'] or found['lost_workers']
    sys.exit(bool(bad or found['valid_afterwards'] != [200]))
