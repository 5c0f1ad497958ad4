import errno
import os
import os.path as osp
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove an open file.
    fcntl = None  # type: ignore[assignment]

ADVICE = {
    errno.ENOSPC: 'free some space on this disk, or choose a folder on another one',
    errno.EDQUOT: 'free some of your quota, or choose a folder on another disk',
    errno.EFBIG: 'raise the limit on the size of files, or choose another disk',
    errno.EIO: 'check the disk, or choose a folder on another one',
    errno.EROFS: 'choose a folder on a disk that is not read-only',
    errno.EACCES: 'choose a folder that you may write to',
    errno.EPERM: 'choose a folder that you may write to',
    errno.ENOTDIR: 'choose a folder whose path leads through no file',
    errno.EEXIST: 'choose a folder whose path leads through no file',
    errno.EISDIR: 'choose the path of a file',
    errno.ENAMETOOLONG: 'choose a shorter name',
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
    with _explained(path, partial):
        if osp.isdir(path) and not osp.islink(path):
            raise IsADirectoryError(errno.EISDIR, 'it is a folder', path)
        os.makedirs(folder, exist_ok=True)
        remove_leftovers(folder, re.escape(name))
        with _locked_file(partial):
            try:
                yield partial
                _sync(partial, os.O_RDWR)
                if fcntl is not None:
                    os.replace(partial, osp.join(folder, name))
            except BaseException:
                with suppress(OSError):
                    os.remove(partial)
                raise
        if fcntl is None:  # An open file cannot be renamed there, either.
            os.replace(partial, osp.join(folder, name))
    with suppress(OSError):  # Not every file system can, or needs to.
        _sync(folder, os.O_RDONLY)


def remove_leftovers(folder: str, pattern: str) -> None:
    r"""Removes the temporary files of killed writers, but not those that are
    being written.

    Args:
        folder (str): The folder.
        pattern (str): A regular expression for the names of the files that were
            to be written.
    """
    leftover = re.compile(rf'\.(?:{pattern})\.[0-9a-f]{{16}}\.tmp')
    for entry in os.listdir(folder):
        if leftover.fullmatch(entry):
            # Those of other users, or in use, are not in the way.
            with suppress(OSError):
                _remove_unlocked(osp.join(folder, entry))


def make_folder(path: str) -> None:
    r"""Creates a folder, unless it exists.

    Args:
        path (str): The folder.

    Raises:
        OSError: See :func:`atomic_write`.
    """
    with _explained(path, osp.join(osp.abspath(path), '.')):
        os.makedirs(path, exist_ok=True)


@contextmanager
def locked(folder: str, shared: bool = False) -> Iterator[None]:
    r"""Waits for the blocks of other processes on the same folder to end.

    Args:
        folder (str): The folder, which needs to exist.
        shared (bool, optional): If set to :obj:`True`, will wait only for blocks
            that are not shared. (default: :obj:`False`)
    """
    if fcntl is None:
        yield
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some file systems know no locks.
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def _locked_file(path: str) -> Iterator[None]:
    # The lock ends with its process, and so tells leftovers from files in use.
    # The mode is that of any new file, before the umask.
    while True:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        if osp.exists(path):
            break
        os.close(file)  # Another process took it for a leftover before the lock.
    try:
        yield
    finally:
        os.close(file)


def _remove_unlocked(path: str) -> None:
    if fcntl is None:
        return os.remove(path)
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return None
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.remove(path)
    finally:
        os.close(file)


def _sync(path: str, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _explained(path: str, partial: str) -> Iterator[None]:
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
