import ast
import gzip
import json
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

MAX_LINE_SIZE = 2**22
CHUNK_SIZE = 2**20
DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error)


def read_records(
    path: str, select: Callable[[bytes], bool] | None = None
) -> Iterator[dict[str, Any]]:
    r"""Reads a gzip-compressed file with a record per line, one by one.

    A record is a JSON object or, as in files that were written by Python 2, a
    dictionary literal, of which nothing is ever executed.

    Args:
        path (str): The path of the file.
        select (callable, optional): A function that takes in a line, and
            returns whether to read its record. (default: :obj:`None`)

    Raises:
        ValueError: If the file is damaged or malformed, naming the line.
    """
    number = 0
    try:
        with gzip.open(path, 'rb') as file:
            while line := file.readline(MAX_LINE_SIZE + 1):
                number += 1
                if len(line) > MAX_LINE_SIZE:
                    raise _line_error(
                        path,
                        number,
                        f'lines of at most {MAX_LINE_SIZE:,} bytes',
                        f'{line[:20]!r}... of more',
                    )
                if not line.isspace() and (select is None or select(line)):
                    yield _parse(path, number, line)
    except DAMAGES as error:
        raise _damage(path, number, error) from error


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


def _parse(path: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _line_error(path, number, 'UTF-8 text', str(error)) from error
    for parse in (json.loads, _parse_literal):
        try:
            record = parse(text.strip())
        # Nested too deeply, a line exhausts the stack or what the parser has:
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(record, dict):
            return record
    raise _line_error(
        path,
        number,
        'a JSON object or a dictionary literal per line',
        f'{text.strip():.50}',
    )


def _parse_literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Of backslashes that escape nothing.
        return ast.literal_eval(text)


def _damage(path: str, number: int, reason: object) -> ValueError:
    return ValueError(
        f"'{path}' is damaged near line {number} ({reason}): delete it, and get it "
        f'again'
    )


def _line_error(path: str, number: int, needed: str, got: str) -> ValueError:
    problem = find_gzip_problem(path)
    if problem is not None:  # It does not matter what the line holds, then.
        return _damage(path, number, problem)
    return ValueError(f"'{path}' needs to hold {needed} (got {got} in line {number})")
