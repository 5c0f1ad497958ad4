import os
from collections.abc import Iterator
from contextlib import contextmanager


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
