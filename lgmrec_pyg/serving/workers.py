import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

FAILED = 3  # The exit status of a worker that cannot start, as uvicorn has it.
STOP_SECONDS = 15.0

logger = logging.getLogger('uvicorn.error')


def supervise(
    make: Callable[[], Any], options: dict[str, Any], place: socket.socket, count: int
) -> None:
    r"""Serves by several processes until SIGTERM or Ctrl+C, and replaces dead ones.

    They are spawned, since PyTorch hangs in a child that was forked after a parallel
    region. Not by the supervisor of uvicorn: it asks each process for a sign of life,
    and takes one that still imports PyTorch on a busy machine for dead.

    Args:
        make (Callable): Makes the application, and can be pickled.
        options (Dict[str, Any]): Arguments of :obj:`uvicorn.Config`.
        place (socket.socket): Where to listen.
        count (int): The number of processes.

    Raises:
        SystemExit: If a process cannot start.
    """
    context, stop, failed = get_context('spawn'), threading.Event(), False
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def start() -> Any:
        process = context.Process(target=_work, args=(make, options, place))
        process.start()
        return process

    processes = [start() for _ in range(count)]
    while not stop.is_set() and not failed:
        wait([process.sentinel for process in processes], 0.5)
        for i, process in enumerate(processes):
            if process.is_alive() or stop.is_set():
                continue
            failed |= process.exitcode == FAILED
            if not failed:
                logger.error('Replaces worker %d, which died', process.pid)
                processes[i] = start()
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(STOP_SECONDS)
        process.kill()
    if failed:
        sys.exit(FAILED)


def _work(
    make: Callable[[], Any], options: dict[str, Any], place: socket.socket
) -> None:
    import uvicorn

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        app = make()
    except (ImportError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)  # The parent then stops, instead of trying forever.
    uvicorn.Server(uvicorn.Config(app, **options)).run([place])


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
