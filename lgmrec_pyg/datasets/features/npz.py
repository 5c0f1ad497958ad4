r"""Files of features: :obj:`numpy.savez(path, ids=ids, x=x)`."""

import os
import zipfile
import zlib

import numpy as np

from lgmrec_pyg.storage.atomic import atomic_write

KEYS = ('ids', 'x')


def read_npz(path: str) -> tuple[np.ndarray, np.ndarray]:
    r"""Reads the ids and the rows of features of a file.

    Pickled content is refused, never loaded.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is malformed.
    """
    needed = "needs to be saved via 'numpy.savez(path, ids=ids, x=x)'"
    try:
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) != set(KEYS):
                raise ValueError(f"'{path}' {needed} (got the arrays {file.files})")
            ids, x = (file[key] for key in KEYS)
    except TypeError as error:  # A single array is no context.
        raise ValueError(f"'{path}' {needed} (got a single array)") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"'{path}' {needed} (got a damaged file: {error})") from error
    except ValueError as error:
        if str(error).startswith("'"):
            raise
        raise ValueError(
            f"'{path}' {needed}, with ids as an array of strings or integers such as "
            f'numpy.array(ids, dtype=str); pickled objects are not loaded ({error})'
        ) from error
    return ids, x


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
