import os
import os.path as osp
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STAGED, COMPLETE = '.staged', '.complete'


@contextmanager
def publish_together(folder: str, last: str) -> Iterator[str]:
    r"""Writes several files of a folder, all of them or none.

    Yields the path of a temporary folder, whose files move to :obj:`folder` at
    the end of the block, or are removed if the block raises. If the process is
    killed while they move, :meth:`finish_publishing` moves the rest.

    Args:
        folder (str): The path of the folder.
        last (str): The name of the file that moves last: whoever finds it finds
            all of them.
    """
    staged, complete = osp.join(folder, STAGED), osp.join(folder, COMPLETE)
    finish_publishing(folder, last)
    if osp.exists(staged):  # Of a process that was killed.
        shutil.rmtree(staged)
    os.makedirs(staged)
    try:
        yield staged
        for name in os.listdir(staged):
            _sync(osp.join(staged, name))
        os.rename(staged, complete)  # From here on, there is no way back.
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    finish_publishing(folder, last)


def finish_publishing(folder: str, last: str) -> None:
    r"""Moves the files of :meth:`publish_together` whose move was interrupted.

    Args:
        folder (str): The path of the folder.
        last (str): The name of the file that moves last.
    """
    complete = osp.join(folder, COMPLETE)
    if osp.isdir(complete):
        for name in sorted(os.listdir(complete), key=lambda name: name == last):
            os.replace(osp.join(complete, name), osp.join(folder, name))
        os.rmdir(complete)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    r"""Waits until no other process is in the block for the same folder.

    Args:
        folder (str): The path of the folder, which is created if needed.
    """
    os.makedirs(folder, exist_ok=True)
    with open(osp.join(folder, '.lock'), 'w') as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"Waiting for another process that prepares '{folder}' ..."
                print(message, file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:  # Some file systems know no locks.
                pass
        yield


def _sync(path: str) -> None:
    with open(path, 'rb+') as file:
        os.fsync(file.fileno())
