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
    except OSError as error:
        if error.filename is not None:
            raise
        raise _not_what_it_needs_to_be(path, needs, error) from error
    except Exception as error:
        raise _not_what_it_needs_to_be(path, needs, error) from error


def _not_what_it_needs_to_be(
    path: str | os.PathLike[str], needs: str, error: Exception
) -> ValueError:
    reason = str(error) or type(error).__name__
    return ValueError(f"'{os.fspath(path)}' needs to be {needs} ({reason:.300})")
