import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

MAX_BYTES = 2**20
READ_SECONDS = 10.0
FREE = ('/health',)  # An overloaded service is healthy, and says so.


class Overloaded(Exception):  # noqa: N818
    r"""As many requests are in work as are allowed."""


class Pool:
    r"""Runs calls in a few threads of one core each, and refuses them if too many
    wait.

    Args:
        threads (int): The number of threads.
        max_requests (int): How many calls may run or wait at a time.
    """

    def __init__(self, threads: int, max_requests: int) -> None:
        self.max_requests, self.active = max_requests, 0
        # By default, every one of the threads would start a team of all cores.
        self._threads = ThreadPoolExecutor(
            threads, 'lgmrec', torch.set_num_threads, (1,)
        )

    @property
    def is_full(self) -> bool:
        r"""Whether the next call is refused."""
        return self.active >= self.max_requests

    async def run(self, call: Callable[..., Any], *args: Any) -> Any:
        r"""Returns the result of a call.

        Raises:
            Overloaded: If too many wait.
        """
        if self.is_full:
            raise Overloaded
        self.active += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, call, *args)
        finally:
            self.active -= 1

    def close(self) -> None:
        r"""Ends the threads, once they have done their work."""
        self._threads.shutdown()


class Limits:
    r"""Reads a request before anything works on it: none that is larger than
    :obj:`MAX_BYTES`, that takes longer than :obj:`READ_SECONDS` to come, or that
    comes while the pool is full. An ASGI middleware.

    Args:
        app (Callable): The application.
        pool (Pool): Where requests are answered.
    """

    def __init__(self, app: Any, pool: Pool) -> None:
        self.app, self.pool = app, pool

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        if self.pool.is_full and scope['path'] not in FREE:
            await refuse(send, 503, 'Too many requests: try again')
            return
        try:
            body = await asyncio.wait_for(_read(receive), READ_SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            await refuse(send, 408, f'The body took longer than {READ_SECONDS} s')
            return
        if body is None:
            return
        if len(body) > MAX_BYTES:
            await refuse(send, 413, f'The body exceeds {MAX_BYTES} bytes')
            return
        message = {'type': 'http.request', 'body': body, 'more_body': False}
        messages = [message]

        async def replay() -> Any:
            return messages.pop() if messages else await receive()

        await self.app(scope, replay, send)


async def refuse(send: Any, status: int, detail: str) -> None:
    r"""Answers without a look at the rest of the request."""
    headers = [(b'content-type', b'application/json')]
    headers += (
        [(b'retry-after', b'1')] if status == 503 else [(b'connection', b'close')]
    )
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    body = json.dumps({'detail': detail}).encode()
    await send({'type': 'http.response.body', 'body': body})


async def _read(receive: Any) -> bytes | None:
    r"""The body of a request, some bytes too many if it is too large, or nothing if
    the client has gone.
    """
    body = bytearray()
    while len(body) <= MAX_BYTES:
        message = await receive()
        if message['type'] == 'http.disconnect':
            return None
        body += message.get('body', b'')
        if not message.get('more_body', False):
            break
    return bytes(body)
