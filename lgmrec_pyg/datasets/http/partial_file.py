import errno
import json
import os
import os.path as osp
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lgmrec_pyg.datasets.http.byte_range import Answer
from lgmrec_pyg.storage.atomic import ADVICE, atomic_write

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STATE = ('url', 'validator', 'total', 'md5')
HEADER = re.compile(r'[ -~\xa0-\xff]*')


class DownloadError(OSError):
    r"""A file could not be downloaded."""


class PartialFile:
    r"""What was received of a file so far, and where it comes from.

    It lies beside the file, which only appears once it is complete, together
    with what the server needs to know in order to send the rest. While it is
    open, no other process can open it.

    Args:
        url (str): The address of the file.
        path (str): The path of the file.

    Raises:
        DownloadError: If it cannot be written, *e.g.*, since the disk is full.
    """

    def __init__(self, url: str, path: str) -> None:
        self.url, self.path = url, path
        self.part, self.origin = path + '.part', path + '.part.json'
        self.validator: str | None = None
        self.total: int | None = None
        self.md5: str | None = None

    def __enter__(self) -> 'PartialFile':
        with self._writing():
            os.makedirs(self._folder, exist_ok=True)
            self.file = open(self.part, 'ab')
        self._lock()
        origin = self._read_origin()
        self.validator, self.total, self.md5 = map(origin.get, STATE[1:])
        if origin.get('url') != self.url or self.validator is None:
            self.restart()
        return self

    def __exit__(self, *args: object) -> None:
        with suppress(OSError):  # On a full disk, for the second time.
            self.file.close()
        for path in (self.part, self.origin):
            if not osp.exists(self.part) or osp.getsize(self.part) == 0:
                with suppress(OSError):
                    os.remove(path)

    @property
    def size(self) -> int:
        return self.file.tell()

    @property
    def is_complete(self) -> bool:
        return self.total is not None and self.size == self.total

    def restart(self) -> None:
        r"""Forgets what was received."""
        self.validator = self.total = self.md5 = None
        with self._writing():
            self.file.truncate(0)
            self.file.seek(0)

    def accept(self, answer: Answer) -> None:
        r"""Prepares for the bytes of an answer.

        Args:
            answer (Answer): The answer, of the whole file or of its rest.
        """
        if answer.start == 0:
            self.restart()
            self.md5 = answer.md5
        self.validator = answer.validator
        self.total = self.total if answer.total is None else answer.total
        needed = (self.total or 0) - self.size
        free = shutil.disk_usage(self._folder).free
        with self._writing():
            if needed > free:
                reason = f'{needed:,} bytes are needed, and {free:,} are free'
                raise OSError(errno.ENOSPC, reason)
            state = {name: getattr(self, name) for name in STATE}
            with atomic_write(self.origin) as path, open(path, 'w') as file:
                json.dump(state, file)

    def write(self, chunk: bytes) -> None:
        r"""Appends received bytes.

        Args:
            chunk (bytes): The bytes.
        """
        with self._writing():
            self.file.write(chunk)
            self.file.flush()

    def publish(self) -> str:
        r"""Gives the complete file its name, and returns its path."""
        with self._writing():
            os.fsync(self.file.fileno())
            os.replace(self.part, self.path)
        return self.path

    @property
    def _folder(self) -> str:
        return osp.dirname(osp.abspath(self.path))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = ADVICE.get(error.errno or 0, 'choose another path')
            raise DownloadError(
                error.errno,
                f"'{self.path}' cannot be downloaded ({error.strerror or error}): "
                f'{advice}. What was received so far is kept',
            ) from error

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held the lock may just have given the file its name:
            opened = os.fstat(self.file.fileno())
            is_mine = osp.samestat(opened, os.stat(self.part))
        except (BlockingIOError, FileNotFoundError):
            is_mine = False
        except OSError:  # Some file systems know no locks.
            is_mine = True
        if not is_mine:
            self.file.close()
            raise DownloadError(f"'{self.path}' is being downloaded by another process")

    def _read_origin(self) -> dict:
        try:
            with open(self.origin, encoding='utf-8') as file:
                state = dict(json.load(file))
        except (OSError, RecursionError, TypeError, ValueError):
            return {}
        has_headers = all(_is_header(state.get(key)) for key in ('validator', 'md5'))
        has_total = type(state.get('total')) in (int, type(None))
        return state if has_headers and has_total else {}


def _is_header(value: Any) -> bool:
    is_text = isinstance(value, str) and HEADER.fullmatch(value) is not None
    return value is None or is_text
