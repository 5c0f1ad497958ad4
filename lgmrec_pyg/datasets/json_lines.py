import gzip
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any


def read_json_lines(
    path: str | os.PathLike[str], keys: Sequence[str]
) -> Iterator[tuple[int, list[Any]]]:
    r"""Reads the number of each line and the values of some keys from a file
    with a JSON object per line, one by one.

    Args:
        path (str): The path of the file, gzip-compressed in case it ends in
            :obj:`".gz"`.
        keys (List[str]): The keys, all of which every object needs to have.

    Raises:
        ValueError: If the file is malformed, naming the line.
    """
    path = os.path.expanduser(os.fspath(path))
    number = 0
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        try:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, _parse(path, number, line, keys)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"'{path}' needs to be complete ({error}, after line {number})"
            ) from error


def _parse(path: str, number: int, line: bytes, keys: Sequence[str]) -> list[Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"'{path}' needs to hold a JSON object per line (got {line.strip()[:40]!r} "
            f'in line {number}: {error})'
        ) from error
    if not isinstance(record, dict):
        raise ValueError(
            f"'{path}' needs to hold a JSON object per line (got "
            f'{type(record).__name__} in line {number})'
        )
    for key in keys:
        if key not in record:
            raise ValueError(
                f"'{path}' needs to hold objects with the key '{key}' (got the keys "
                f'{list(record)[:20]} in line {number})'
            )
    return [record[key] for key in keys]
