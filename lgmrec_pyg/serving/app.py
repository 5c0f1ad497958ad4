import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from lgmrec_pyg import __version__
from lgmrec_pyg.serving.limits import Limits, Pool
from lgmrec_pyg.serving.snapshot import Latest

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app(
    path: str | os.PathLike[str],
    *,
    threads: int = 2,
    max_requests: int = 64,
    approximate: bool = False,
    reload_every: float = 5.0,
) -> 'FastAPI':
    r"""Returns an application that answers from the folder of a run over HTTP.

    .. code-block:: python

        with TestClient(create_app('run')) as client:
            client.post('/recommend', json={'user': 'ann', 'k': 10}).json()

    Its paths are :obj:`/recommend`, :obj:`/recommend/history`, :obj:`/similar`,
    :obj:`/new-item`, :obj:`/card` and :obj:`/health`; the page :obj:`/docs` describes
    them, and :obj:`/openapi.json`. No request names a file.

    Args:
        path (str or os.PathLike): The folder, with the
            :obj:`embeddings.safetensors` of
            :meth:`~lgmrec_pyg.recommend.Recommender.save`. A card and new items are
            answered by what :func:`~lgmrec_pyg.storage.save_model` and
            :func:`~lgmrec_pyg.storage.save_graph` wrote there.
        threads (int, optional): The number of threads that rank, each on one core.
            (default: :obj:`2`)
        max_requests (int, optional): The number of requests that may be in work or
            wait for it; all others are answered by status 503 at once.
            (default: :obj:`64`)
        approximate (bool, optional): If set to :obj:`True`, known users are ranked by
            an index, see :func:`~lgmrec_pyg.recommend.build_index`.
            (default: :obj:`False`)
        reload_every (float, optional): The seconds between looks whether the folder
            has changed, whose new content then takes over at once.
            (default: :obj:`5.0`)

    Raises:
        FileNotFoundError: If the folder holds no embeddings.
        ImportError: If :obj:`fastapi` is not installed.
        ValueError: If a file is damaged, or if the files do not belong together.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise ImportError(
            "Serving needs fastapi and uvicorn: pip install 'lgmrec_pyg[serve]'"
        ) from error
    from lgmrec_pyg.serving.routes import add_routes

    latest, pool = Latest(path, approximate), Pool(threads, max_requests)
    loader = Pool(1, 1)

    async def watch() -> None:
        while True:
            await asyncio.sleep(reload_every)
            await loader.run(latest.refresh)

    @asynccontextmanager
    async def lifespan(app: 'FastAPI') -> AsyncIterator[None]:
        watcher = asyncio.create_task(watch())
        yield
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        pool.close()
        loader.close()

    app = FastAPI(
        title='lgmrec_pyg', version=__version__, lifespan=lifespan, description=ABOUT
    )
    add_routes(app, latest, pool)
    app.add_middleware(Limits, pool=pool)
    return app


ABOUT = """Recommendations of a trained model.

An id is a string or an integer, and stands for the id of the data that is written the
same: `7` and `"7"` are one. Answers hold ids as the data has them. Unknown ids are
answered by 404, unless `unknown` is `popular`; too many requests at once by 503."""
