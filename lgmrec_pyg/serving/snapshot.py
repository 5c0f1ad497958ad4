import logging
import os
import os.path as osp
from typing import Any

from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.serving.known_ids import KnownIds
from lgmrec_pyg.serving.ranker import Ranker
from lgmrec_pyg.storage import load_card, load_graph

EMBEDDINGS, GRAPH = 'embeddings.safetensors', 'graph.safetensors'
MODEL = 'model.safetensors'
FILES = (EMBEDDINGS, GRAPH, MODEL)

logger = logging.getLogger('uvicorn.error')


class Snapshot:
    r"""All that answers come from, as it was in a folder at one time, and which never
    changes.

    Args:
        path (str): The folder of the run, with :obj:`embeddings.safetensors`, and,
            as far as they are there, :obj:`model.safetensors`, whose card is shown,
            and :obj:`graph.safetensors`, by which new items are embedded.
        approximate (bool, optional): If set to :obj:`True`, will rank for users by
            an index. (default: :obj:`False`)

    Raises:
        FileNotFoundError: If there are no embeddings.
        ImportError: If an index needs :obj:`faiss`.
        ValueError: If a file is damaged, or if the files do not belong together.
    """

    def __init__(self, path: str, approximate: bool = False) -> None:
        check_folder(path)
        self.signature = signature_of(path)
        has = dict(zip(FILES, self.signature, strict=True))
        recommender = Recommender.load(osp.join(path, EMBEDDINGS))
        self.card: dict[str, Any] | None = load_card(path) if has[MODEL] else None
        graph = load_graph(osp.join(path, GRAPH)) if has[GRAPH] else None
        self.ranker = Ranker(recommender, graph, approximate)
        self.users = KnownIds(recommender.users)
        self.items = KnownIds(recommender.items)


class Latest:
    r"""The latest snapshot of a folder: a new one is built aside, and then takes the
    place of the old one at once, which those who have it can keep using.

    See :class:`Snapshot` for the arguments.
    """

    def __init__(self, path: str | os.PathLike[str], approximate: bool = False) -> None:
        self.path, self.approximate = os.fspath(path), approximate
        self.snapshot = Snapshot(self.path, approximate)
        self._seen = self.snapshot.signature

    def refresh(self) -> bool:
        r"""Loads the folder if it has changed, and returns whether it has. If that
        goes wrong, the old snapshot stays, until there is another change.
        """
        try:
            signature = signature_of(self.path)
            if signature == self._seen:
                return False
            self._seen = signature
            self.snapshot = Snapshot(self.path, self.approximate)
        except Exception as error:  # Of any kind: who watches must not end by it.
            logger.error("Keeps the old model, since '%s' failed: %s", self.path, error)
            return False
        logger.info("Loaded '%s' anew", self.path)
        return True


def signature_of(path: str) -> tuple[tuple[int, ...] | None, ...]:
    r"""What tells whether a file was replaced, for all of a folder."""
    out: list[tuple[int, ...] | None] = []
    for name in FILES:
        try:
            stat = os.stat(osp.join(path, name))
            out.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except FileNotFoundError:
            out.append(None)
    return tuple(out)


def check_folder(path: str) -> None:
    r"""Checks that a folder holds embeddings, without loading them."""
    if not osp.isfile(osp.join(path, EMBEDDINGS)):
        raise FileNotFoundError(
            f"'{path}' needs to be the folder of a run, with '{EMBEDDINGS}' in it: "
            f"'Recommender.save' writes it"
        )
