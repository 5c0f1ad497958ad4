import os
import os.path as osp
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.storage.digest import digest

SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, value BLOB NOT NULL)
WITHOUT ROWID
"""
CRC_SIZE = 4


class EmbeddingCache:
    r"""A file of embeddings, found by the name of their encoder and the content, or a
    digest of it.

    Each batch is written completely or not at all, whenever the process is
    killed. Several processes may share the file.

    .. code-block:: python

        with EmbeddingCache('texts.sqlite', encoder.name) as cache:
            cache.put([content], x)
            cache.get(content)

    Args:
        path (str or os.PathLike): The path of the file, which is created if
            needed.
        name (str): The name of the encoder, together with everything that its
            output depends on.

    Raises:
        OSError: If the file cannot be opened, read or written.
        ValueError: If the file is something else, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        self.path = osp.expanduser(os.fspath(path))
        self.name = name
        os.makedirs(osp.dirname(osp.abspath(self.path)), exist_ok=True)
        with self._explained():
            self._connection = sqlite3.connect(self.path, timeout=60.0)
        self._connection.text_factory = bytes  # Damaged text is no text.
        try:
            with self._explained(), self._connection:
                self._connection.execute(SCHEMA)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> 'EmbeddingCache':
        return self

    def __exit__(self, *args: object) -> None:
        self._connection.close()

    def get(self, content: Any) -> Tensor | None:
        r"""Returns an embedding, or :obj:`None` in case there is none that is
        undamaged and finite.

        Args:
            content (Any): The content, or a digest of it.
        """
        query = 'SELECT value FROM embeddings WHERE key = ?'
        with self._explained():
            row = self._connection.execute(query, [self._key(content)]).fetchone()
        return None if row is None else _unpack(row[0])

    def put(self, contents: list[Any], x: Tensor) -> None:
        r"""Writes a batch of embeddings, in single precision.

        Args:
            contents (List[Any]): The contents, or digests of them.
            x (torch.Tensor): The embeddings, one row per content.
        """
        values = x.detach().cpu().float().numpy().astype('<f4')
        rows = [
            (self._key(content), _pack(value.tobytes()))
            for content, value in zip(contents, values, strict=True)
        ]
        with self._explained(), self._connection:
            query = 'INSERT OR REPLACE INTO embeddings VALUES (?, ?)'
            self._connection.executemany(query, rows)

    def _key(self, content: Any) -> bytes:
        return digest((self.name, content)).encode()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OSError(f"'{self.path}' cannot be used ({error})") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"'{self.path}' needs to be a cache of embeddings ({error}): delete "
                f'it, or choose another path'
            ) from error


def _pack(content: bytes) -> bytes:
    return content + crc32(content).to_bytes(CRC_SIZE, 'little')


def _unpack(value: Any) -> Tensor | None:
    if not isinstance(value, bytes) or len(value) <= CRC_SIZE:
        return None
    content = value[:-CRC_SIZE]
    if _pack(content) != value or len(content) % 4 != 0:
        return None
    x = torch.from_numpy(np.frombuffer(content, dtype='<f4').astype(np.float32))
    return x if x.isfinite().all() else None
