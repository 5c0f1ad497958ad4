import errno
import os
import os.path as osp
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove an open file.
    fcntl = None  # type: ignore[assignment]

ADVICE = {
    errno.ENOSPC: 'free some space on this disk, or choose another one',
    errno.EDQUOT: 'free some of your quota, or choose another disk',
    errno.EFBIG: 'raise the limit on the size of files, or choose another disk',
    errno.EROFS: 'choose a folder on a disk that is not read-only',
    errno.EACCES: 'choose a folder that you may write to',
    errno.EPERM: 'choose a folder that you may write to',
    errno.ENOTDIR: 'choose a folder whose path leads through no file',
    errno.EEXIST: 'choose a folder whose path leads through no file',
    errno.EISDIR: 'choose the path of a file',
}


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[str]:
    r"""Writes a file completely or not at all: whenever the writer is killed,
    :obj:`path` holds either what it held before or all of the new content.

    Yields the path of a temporary file in the same folder, which replaces
    :obj:`path` at the end of the block. If the block raises, it is removed. What
    a killed writer left behind, the next writer of :obj:`path` removes.

    .. code-block:: python

        with atomic_write('run.json') as partial, open(partial, 'w') as file:
            json.dump(record, file)

    .. note::

        The temporary file ends in :obj:`".tmp"`. Pass an open file to writers
        that append an ending of their own, such as :meth:`numpy.save`.

    Args:
        path (str or os.PathLike): The path of the file. Missing folders are
            created; a link is replaced, not followed.

    Raises:
        OSError: If the file cannot be written, *e.g.*, since the disk is full or
            the folder is not writable, naming :obj:`path` and what to do.
    """
    path = os.fspath(path)
    folder, name = osp.split(osp.abspath(path))
    partial = osp.join(folder, f'.{name}.{secrets.token_hex(8)}.tmp')
    with _advised(path, partial):
        if osp.isdir(path) and not osp.islink(path):
            raise IsADirectoryError(errno.EISDIR, 'it is a folder', path)
        os.makedirs(folder, exist_ok=True)
        _remove_leftovers(folder, name)
        with _created(partial):
            try:
                yield partial
                _sync(partial, os.O_RDWR)
                os.replace(partial, osp.join(folder, name))
            except BaseException:
                with suppress(OSError):
                    os.remove(partial)
                raise
    with suppress(OSError):  # Not every file system can, or needs to.
        _sync(folder, os.O_RDONLY)


@contextmanager
def locked(path: str, wait: bool = True) -> Iterator[None]:
    r"""Keeps the blocks of other processes on the same file or folder waiting.

    Args:
        path (str): The file or folder, which needs to exist.
        wait (bool, optional): If set to :obj:`False`, will raise an error instead
            of waiting for another block to end. (default: :obj:`True`)

    Raises:
        OSError: If there is another block, and :obj:`wait` is :obj:`False`.
    """
    if fcntl is None:
        yield
        return
    file = os.open(path, os.O_RDONLY if osp.isdir(path) else os.O_RDWR | os.O_NOFOLLOW)
    try:
        _lock(file, wait)
        yield
    finally:
        os.close(file)


@contextmanager
def _created(partial: str) -> Iterator[None]:
    # The lock ends with its process, and so tells leftovers from files in use.
    if fcntl is None:
        yield
        return
    while True:
        file = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        try:
            _lock(file)
            if osp.exists(partial):  # Nobody took it for a leftover before the lock.
                yield
                return
        finally:
            os.close(file)


def _lock(file: int, wait: bool = True) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # Some file systems know no locks.
        if not wait:
            raise


def _remove_leftovers(folder: str, name: str) -> None:
    leftover = re.compile(rf'\.{re.escape(name)}\.[0-9a-f]{{16}}\.tmp')
    for entry in filter(leftover.fullmatch, os.listdir(folder)):
        path = osp.join(folder, entry)
        # Those of other users, or in use, are not in the way.
        with suppress(OSError), locked(path, wait=False):
            os.remove(path)


def _sync(path: str, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _advised(path: str, partial: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        own = (None, path, partial, *map(str, Path(partial).parents))
        if error.filename not in own or error.errno not in ADVICE:
            raise  # It is about another file, or another matter.
        raise OSError(
            error.errno,
            f"'{path}' cannot be written ({error.strerror}): {ADVICE[error.errno]}. "
            f'What was there before is unchanged',
        ) from error
