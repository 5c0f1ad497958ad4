import os
import os.path as osp
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, value BLOB NOT NULL)
WITHOUT ROWID
"""


class EmbeddingCache:
    r"""A file of embeddings, found by the name of their encoder and a digest of
    the content.

    Each batch is written completely or not at all, whenever the process is
    killed. Several processes may share the file.

    .. code-block:: python

        with EmbeddingCache('texts.sqlite', encoder.name) as cache:
            cache.put([digest], x)
            cache.get(digest)

    Args:
        path (str): The path of the file, which is created if needed.
        name (str): The name of the encoder, together with everything that its
            output depends on.

    Raises:
        ValueError: If the file is something else, or damaged.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.prefix = sha256(name.encode()).digest()
        os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=60.0)
        try:
            with self._explained(), self._connection:
                self._connection.execute(SCHEMA)
                info = self._connection.execute('PRAGMA table_info(embeddings)')
                columns = [row[1] for row in info]
                if columns != ['key', 'value']:
                    raise sqlite3.DatabaseError(f'its columns are {columns}')
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> 'EmbeddingCache':
        return self

    def __exit__(self, *args: object) -> None:
        self._connection.close()

    def get(self, digest: bytes) -> Tensor | None:
        r"""Returns an embedding, or :obj:`None` in case there is none.

        Args:
            digest (bytes): The digest of the content.
        """
        query = 'SELECT value FROM embeddings WHERE key = ?'
        with self._explained():
            row = self._connection.execute(query, [self._key(digest)]).fetchone()
        if row is None:
            return None
        return torch.from_numpy(np.frombuffer(row[0], dtype='<f4').astype(np.float32))

    def put(self, digests: list[bytes], x: Tensor) -> None:
        r"""Writes a batch of embeddings, in single precision.

        Args:
            digests (List[bytes]): The digests of the contents.
            x (torch.Tensor): The embeddings, one row per content.
        """
        values = x.detach().cpu().float().numpy().astype('<f4')
        rows = [
            (self._key(digest), value.tobytes())
            for digest, value in zip(digests, values, strict=True)
        ]
        with self._explained(), self._connection:
            query = 'INSERT OR REPLACE INTO embeddings VALUES (?, ?)'
            self._connection.executemany(query, rows)

    def _key(self, digest: bytes) -> bytes:
        return sha256(self.prefix + digest).digest()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:  # Such as a full disk, of which it tells.
            raise
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"'{self.path}' needs to be a cache of embeddings ({error}): delete "
                f'it, or choose another path'
            ) from error
