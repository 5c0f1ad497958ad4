import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def reading(path: str | os.PathLike[str], needs: str) -> Iterator[None]:
    r"""Says which file is at fault when reading it goes wrong: whatever its content
    makes fail in the block, however damaged or hostile, ends in one error.

    .. code-block:: python

        with reading('run.json', 'a record of a run'), open('run.json') as file:
            record = Record(**json.load(file))

    Args:
        path (str or os.PathLike): The path of the file.
        needs (str): What the file needs to be.

    Raises:
        OSError: If the file cannot be opened; such errors name it themselves.
        ValueError: If its content is something else.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"'{os.fspath(path)}' needs to be {needs} ({reason:.300})"
        ) from error


def load_plain(path: str | os.PathLike[str]) -> Any:
    r"""Loads what :meth:`torch.save` wrote, of which nothing is executed.

    Args:
        path (str or os.PathLike): The path of the file.

    Raises:
        ValueError: If the file is damaged, or holds objects that could run code.
    """
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # Whose text advises to load it all the same.
        raise ValueError(
            f"'{os.fspath(path)}' needs to hold tensors in plain containers: anything "
            f'else, such as objects that could run code, is not loaded'
        ) from error
