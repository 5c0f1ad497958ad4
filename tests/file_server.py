r"""A web server of files, which misbehaves as told."""

import threading
from collections.abc import Callable
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

Behaviour = Callable[['Handler', bytes], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server: 'FileServer'

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get('Range')))
        behaviours = self.server.behaviours
        behave = behaviours.pop(0) if behaviours else send
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
        else:
            behave(self, content)
        self.close_connection = True

    def end_headers(self) -> None:
        self.send_header('Connection', 'close')
        super().end_headers()

    def log_message(self, *args: object) -> None:
        pass


class FileServer(ThreadingHTTPServer):
    r"""Serves files from memory at :obj:`url`, and records the paths and ranges
    of all requests. Each of the next requests meets the next of
    :obj:`behaviours`; the others are answered as they should be.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.files = files
        self.behaviours: list[Behaviour] = []
        self.requests: list[tuple[str, str | None]] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'

    def __enter__(self) -> 'FileServer':
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


def tag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:16]}"'


def send(
    handler: Handler,
    content: bytes,
    validator: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> None:
    r"""Answers as a server should, with ranges of unchanged files."""
    name, value = validator or ('ETag', tag(content))
    requested = handler.headers.get('Range')
    start = 0
    if requested is not None and handler.headers.get('If-Range') in (None, value):
        start = int(requested.removeprefix('bytes=').removesuffix('-'))
    if start >= len(content) > 0:
        handler.send_response(416)
        handler.send_header('Content-Range', f'bytes */{len(content)}')
        handler.send_header('Content-Length', '0')
        handler.end_headers()
        return
    handler.send_response(206 if start > 0 else 200)
    handler.send_header(name, value)
    if start > 0:
        end = len(content) - 1
        handler.send_header('Content-Range', f'bytes {start}-{end}/{len(content)}')
    handler.send_header('Content-Length', str(len(content) - start))
    for item in (headers or {}).items():
        handler.send_header(*item)
    handler.end_headers()
    handler.wfile.write(content[start:] if body is None else body)


def sending(**kwargs: object) -> Behaviour:
    return lambda handler, content: send(handler, content, **kwargs)


def breaking_after(size: int, **kwargs: object) -> Behaviour:
    r"""Announces everything, but closes the connection early."""

    def behave(handler: Handler, content: bytes) -> None:
        start = (handler.headers.get('Range') or 'bytes=0-')[6:-1]
        body = content[int(start) : int(start) + size]
        send(handler, content, body=body, **kwargs)

    return behave


def stalling_after(size: int) -> Behaviour:
    r"""Sends nothing further, but keeps the connection open."""

    def behave(handler: Handler, content: bytes) -> None:
        breaking_after(size)(handler, content)
        handler.wfile.flush()
        handler.server.stopping.wait(30)

    return behave


def ignoring_range(size: int | None = None) -> Behaviour:
    r"""Sends the file from its start, whatever is asked for."""

    def behave(handler: Handler, content: bytes) -> None:
        del handler.headers['Range']
        send(handler, content, body=content[:size])

    return behave


def failing(status: int, headers: dict[str, str] | None = None) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        handler.send_response(status)
        handler.send_header('Content-Length', '0')
        for item in (headers or {}).items():
            handler.send_header(*item)
        handler.end_headers()

    return behave


def redirecting(url: str, status: int = 302) -> Behaviour:
    return failing(status, {'Location': url})


def chunked(size: int | None = None) -> Behaviour:
    r"""Sends no length, in chunks, and possibly without an end."""

    def behave(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header('Last-Modified', formatdate(0, usegmt=True))
        handler.send_header('Transfer-Encoding', 'chunked')
        handler.end_headers()
        for start in range(0, len(content[:size]), 100):
            chunk = content[start : start + 100]
            handler.wfile.write(b'%x\r\n%s\r\n' % (len(chunk), chunk))
        if size is None:
            handler.wfile.write(b'0\r\n\r\n')

    return behave
