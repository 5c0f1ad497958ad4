import os
from functools import partial
from typing import Any

from lgmrec_pyg.serving.app import create_app
from lgmrec_pyg.serving.snapshot import check_folder
from lgmrec_pyg.serving.workers import supervise


def serve(
    path: str | os.PathLike[str],
    host: str = '127.0.0.1',
    port: int = 8000,
    workers: int = 1,
    *,
    threads: int = 2,
    max_requests: int = 64,
    max_connections: int = 1024,
    approximate: bool = False,
    reload_every: float = 5.0,
    log_level: str = 'info',
) -> None:
    r"""Serves the folder of a run over HTTP, until the process is asked to stop by
    SIGTERM or Ctrl+C. Requests in work are then answered within ten seconds.

    .. code-block:: python

        serve('run', port=8000, workers=2)

    Args:
        path (str or os.PathLike): The folder, see :func:`create_app`, also for what is
            not said here.
        host (str, optional): The address to listen on; :obj:`"0.0.0.0"` listens on
            all. (default: :obj:`"127.0.0.1"`)
        port (int, optional): The port, and any free one for :obj:`0`.
            (default: :obj:`8000`)
        workers (int, optional): The number of processes. Each one holds its own
            embeddings, and one that dies is replaced. (default: :obj:`1`)
        threads (int, optional): The number of threads of a worker.
            (default: :obj:`2`)
        max_requests (int, optional): The number of requests in a worker.
            (default: :obj:`64`)
        max_connections (int, optional): The number of connections to a worker, over
            which requests are answered by status 503. (default: :obj:`1024`)
        approximate (bool, optional): See :func:`create_app`.
            (default: :obj:`False`)
        reload_every (float, optional): See :func:`create_app`.
            (default: :obj:`5.0`)
        log_level (str, optional): The level of what is logged.
            (default: :obj:`"info"`)

    Raises:
        FileNotFoundError: If the folder holds no embeddings.
        ImportError: If :obj:`uvicorn` or :obj:`fastapi` is not installed.
        SystemExit: If several workers cannot start.
        ValueError: If a file is damaged, or if the files do not belong together.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError(
            "Serving needs fastapi and uvicorn: pip install 'lgmrec_pyg[serve]'"
        ) from error
    check_folder(os.fspath(path))
    make = partial(
        create_app,
        os.fspath(path),
        threads=threads,
        max_requests=max_requests,
        approximate=approximate,
        reload_every=reload_every,
    )
    options: dict[str, Any] = {
        'host': host,
        'port': port,
        'http': 'h11',  # Bounds the size of headers, which 'httptools' does not.
        'ws': 'none',
        'lifespan': 'on',
        'log_level': log_level,
        'access_log': False,
        'server_header': False,
        'limit_concurrency': max_connections,
        'timeout_graceful_shutdown': 10,
    }
    if workers > 1:
        place = uvicorn.Config(make, **options).bind_socket()
        supervise(make, options, place, workers)
    else:
        uvicorn.Server(uvicorn.Config(make(), **options)).run()
