r"""Files to read, wherever they are and whatever compresses them."""

import bz2
import gzip
import lzma
import os
import os.path as osp
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from lgmrec_pyg.datasets._download import DownloadError, download

PARQUET = b'PAR1'


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    r"""Opens a file or the address of one.

    Raises:
        DownloadError: If an address cannot be reached.
        OSError: If the file cannot be opened.
    """
    path = osp.expanduser(os.fspath(path))
    with ExitStack() as stack:
        if re.match(r'\w+://', path):
            folder = stack.enter_context(TemporaryDirectory())
            path = _fetch(path, osp.join(folder, 'file'))
        yield stack.enter_context(open(path, 'rb'))


def starts_with(file: IO[bytes], *magic: bytes) -> bool:
    r"""Returns whether a file starts with some bytes, after a byte order mark, and
    with spaces before each of them.
    """
    head = file.read(64).removeprefix(b'\xef\xbb\xbf')
    file.seek(0)
    for part in magic:
        head = head.lstrip()
        if not head.startswith(part):
            return False
        head = head[len(part) :]
    return True


def decompressed(file: IO[bytes]) -> Any:
    r"""Returns the content of a file, which its first bytes, and not its name, say
    to be compressed, or to be an archive of one file.
    """
    head = file.read(16)
    file.seek(0)
    for magic, open_ in COMPRESSIONS.items():
        if re.match(magic, head, re.DOTALL):
            file = open_(file)
    is_tar = file.read(262)[257:] == b'ustar'
    file.seek(0)
    return _only_of_tar(file) if is_tar else file


def list_files(path: str) -> list[str]:
    r"""Returns the files of a folder that holds the parts of one table, sorted by
    their paths, without those that programs leave beside them.
    """
    files = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name[0] not in '._']
        files += [osp.join(folder, name) for name in names if name[0] not in '._']
    return sorted(files)


def _fetch(url: str, path: str) -> str:
    if url.startswith(('http://', 'https://')):
        return download(url, path, progress=False, retries=1)
    import fsspec

    try:
        with fsspec.open(url, 'rb') as source, open(path, 'wb') as file:
            shutil.copyfileobj(source, file)
    except Exception as error:
        raise DownloadError(f"'{url}' could not be reached ({error})") from error
    return path


def _only_of_zip(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if name[-1] != '/']
    return archive.open(_only([x for x in names if not x.startswith('__MACOSX/')]))


def _only_of_tar(file: IO[bytes]) -> IO[bytes] | None:
    archive = tarfile.TarFile(fileobj=file)
    return archive.extractfile(_only([x.name for x in archive if x.isfile()]))


def _only(names: list[str]) -> str:
    if len(names) != 1:
        raise ValueError(f'an archive needs to hold one file (got {names[:9]})')
    return names[0]


def _open_zstd(file: Any) -> IO[bytes]:
    try:
        import zstandard
    except ImportError as error:
        needs = "Reading a '.zst' file needs 'zstandard': pip install zstandard"
        raise ImportError(needs) from error
    out = TemporaryFile()  # noqa: SIM115, what is read again needs to be sought.
    shutil.copyfileobj(zstandard.open(file, 'rb'), out)
    out.seek(0)
    return out


COMPRESSIONS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b'\x1f\x8b': gzip.open,
    b'BZh[1-9]1AY': bz2.open,
    b'\xfd7zXZ': lzma.open,
    b'PK(\3\4|\5\6)': _only_of_zip,
    b'\\\x28\xb5\x2f\xfd': _open_zstd,
}
