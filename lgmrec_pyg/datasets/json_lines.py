import gzip
import json
import os
import reprlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_LINE_SIZE = 2**22
CHUNK_SIZE = 2**20
DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error)


def read_json_lines(
    path: str | os.PathLike[str],
    fields: Mapping[str, Callable[[Any], Any]] | None = None,
    select: Callable[[bytes], bool] | None = None,
    parse: Callable[[str], Any] = json.loads,
) -> Iterator[dict[str, Any]]:
    r"""Reads a file with a JSON object per line, one by one.

    Args:
        path (str): The path of the file, gzip-compressed in case it ends in
            :obj:`".gz"`.
        fields (Dict[str, Callable], optional): The keys to read, all of which
            every object needs to have, and the function that each of their
            values passes through. It may raise a :class:`ValueError` of what is
            needed. If :obj:`None`, will read objects as they are.
            (default: :obj:`None`)
        select (callable, optional): A function that takes in a line, and
            returns whether to read its object. (default: :obj:`None`)
        parse (callable, optional): A function that takes in a line, and returns
            its object. (default: :meth:`json.loads`)

    Raises:
        ValueError: If the file is damaged or malformed, naming the line.
    """
    path = os.path.expanduser(os.fspath(path))
    for number, line in _read_lines(path):
        if line.isspace() or (select is not None and not select(line)):
            continue
        try:
            record = _parse(line, parse)
            out = record if fields is None else _convert(record, fields)
        except _MalformedError as error:
            raise _line_error(path, number, *error.args) from error
        yield out


def find_gzip_problem(path: str) -> str | None:
    r"""Returns what is wrong with a gzip-compressed file, if anything.

    Args:
        path (str): The path of the file.
    """
    try:
        with gzip.open(path, 'rb') as file:
            while file.read(CHUNK_SIZE):
                pass
    except DAMAGES as error:
        return str(error)
    return None


class _MalformedError(ValueError):
    r"""What is needed of a line, and what came."""


def _read_lines(path: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        try:
            while line := file.readline(MAX_LINE_SIZE + 1):
                number += 1
                if len(line) > MAX_LINE_SIZE:
                    needed = f'lines of at most {MAX_LINE_SIZE:,} bytes'
                    raise _line_error(path, number, needed, f'{line[:20]!r}... of more')
                yield number, line
        except DAMAGES as error:
            raise _damage(path, number, error) from error


def _parse(line: bytes, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        record = parse(line.decode('utf-8-sig').strip())
        if not isinstance(record, dict):
            raise TypeError(f'a {type(record).__name__}')
    # Nested too deeply, a line exhausts the stack:
    except (TypeError, ValueError, RecursionError) as error:
        got = f'{line.strip()[:40]!r}: {error},'
        raise _MalformedError('a JSON object per line', got) from error
    return record


def _convert(
    record: dict[str, Any], fields: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    out = {}
    for key, convert in fields.items():
        if key not in record:
            got = f'the keys {reprlib.repr(list(record))}'
            raise _MalformedError(f"objects with the key '{key}'", got)
        try:
            out[key] = convert(record[key])
        except ValueError as error:
            needed, got = f"{error} in '{key}'", reprlib.repr(record[key])
            raise _MalformedError(needed, got) from error
    return out


def _line_error(path: str, number: int, needed: str, got: str) -> ValueError:
    problem = find_gzip_problem(path) if path.endswith('.gz') else None
    if problem is not None:  # It does not matter what the line holds, then.
        return _damage(path, number, problem)
    return ValueError(f"'{path}' needs to hold {needed} (got {got} in line {number})")


def _damage(path: str, number: int, reason: object) -> ValueError:
    return ValueError(
        f"'{path}' is damaged near line {number} ({reason}): delete it, and get it "
        f'again'
    )
