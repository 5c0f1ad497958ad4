r"""Files of features: :obj:`numpy.savez(path, ids=ids, x=x)`."""

import lzma
import math
import os
import tokenize
import zipfile
import zlib
from typing import IO

import numpy as np
from numpy.lib import format as npy

from lgmrec_pyg.storage.atomic import atomic_write

KEYS = ('ids', 'x')
ENDING = '.npy'
# Compression of more than this pays off only for next to nothing but zeros.
MAX_RATIO = 500
MAX_SMALL = 2**28
DAMAGES = (
    EOFError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,  # Of encrypted members, and of unknown compressions.
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(path: str) -> tuple[np.ndarray, np.ndarray]:
    r"""Reads the ids and the rows of features of a file.

    Pickled content is refused, never loaded. No more memory is taken than what
    the file says it holds, and none if that is out of proportion to its size.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is malformed, naming the array.
    """
    needed = "needs to be saved via 'numpy.savez(path, ids=ids, x=x)'"
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.removesuffix(ENDING) for name in file.namelist()]
            if sorted(names) != list(KEYS):
                raise ValueError(f"'{path}' {needed} (got the arrays {names})")
            members = dict(zip(names, file.infolist(), strict=True))
            ids, x = (_read_member(path, file, members[key]) for key in KEYS)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"'{path}' {needed} (got another file: {error})") from error
    return ids, x


def _read_member(
    path: str, file: zipfile.ZipFile, member: zipfile.ZipInfo
) -> np.ndarray:
    try:
        limit = max(MAX_SMALL, MAX_RATIO * member.compress_size)
        if member.file_size > limit:
            raise ValueError(
                f'its {member.compress_size} bytes stand for {member.file_size}, of '
                f"which {limit} are read: use 'numpy.savez', which does not compress"
            )
        with file.open(member) as stream:
            _check_header(stream, member.file_size)
        with file.open(member) as stream:
            return npy.read_array(stream, allow_pickle=False)
    except DAMAGES as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"'{path}' needs to hold undamaged arrays of numbers and of strings "
            f"(got '{member.filename}': {reason})"
        ) from error


def _check_header(stream: IO[bytes], size: int) -> None:
    r"""Raises an error if an array is larger than its file: NumPy would take
    the memory before it finds out.
    """
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(stream)
    else:
        shape, _, dtype = npy.read_array_header_2_0(stream)
    if dtype.hasobject:
        raise ValueError(
            'pickled objects are not loaded; ids need to be an array of strings or '
            'integers such as numpy.array(ids, dtype=str)'
        )
    held = size - stream.tell()
    if dtype.itemsize == 0 or math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f'{held} bytes are not {dtype} of shape {list(shape)}')


def write_npz(path: str | os.PathLike[str], ids: np.ndarray, x: np.ndarray) -> None:
    r"""Writes ids and rows of features to a file, completely or not at all.

    Args:
        path (str): The path of the file.
        ids (numpy.ndarray): The ids.
        x (numpy.ndarray): The rows.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If ids end in a null character, which files do not keep.
    """
    plain = ids if ids.dtype.kind == 'i' else ids.astype(str)
    changed = plain.astype(ids.dtype) != ids
    if changed.any():
        raise ValueError(
            f"'ids' needs to hold ids that do not end in a null character (got "
            f'{ids[changed][0]!r})'
        )
    with atomic_write(path) as partial, open(partial, 'wb') as file:
        np.savez(file, ids=plain, x=x)
