r"""Reads files with an object per line. What :meth:`pandas.read_json` lacks is to
skip a damaged line, and to keep in memory only what is needed.
"""

import ast
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import pandas as pd

from lgmrec_pyg.datasets.files import decompressed, opened
from lgmrec_pyg.storage import reading

T = TypeVar('T')

COLUMNS = ('user_id', 'item_id', 'rating', 'timestamp')
CHUNK_SIZE = 2**18
MAX_LINE_SIZE = 2**22
MAX_BAD_SHARE = 0.05


def read_json_lines(
    path: str | os.PathLike[str],
    convert: Callable[[Any], T],
    select: Callable[[bytes], bool] = bool,
) -> Iterator[T]:
    r"""Reads a file with a JSON object per line, one by one. Damaged lines are
    skipped, see :func:`report_bad`.

    Lines that are not selected are not parsed. Whatever :obj:`convert` raises of an
    object, its line counts as damaged.
    """
    path = os.fspath(path)
    count = {'good': 0, 'bad': 0}
    first, others = '', False
    with (
        opened(path) as raw,
        reading(path, 'undamaged: delete it, and get it again'),
        decompressed(raw) as file,
    ):
        # What is longer comes in pieces, which are no objects:
        lines = iter(lambda: file.readline(MAX_LINE_SIZE), b'')
        for number, line in enumerate(lines, start=1):
            if line.isspace() or not select(line):
                others |= not line.isspace()
                continue
            try:
                record = convert(_parse(line))
            except Exception as error:
                count['bad'] += 1
                first = first or f'line {number}, {error!r:.200}'
            else:
                count['good'] += 1
                yield record
    if any(count.values()) or not others:
        report_bad(path, 'lines', first, **count)


def read_reviews(
    path: str | os.PathLike[str],
    *editions: Sequence[str],
    to_time: Callable[[Any], int] = int,
) -> pd.DataFrame:
    r"""Reads who rated what and when from a file with a review per line, where the
    keys of one of the :obj:`editions` name the user, the item, the rating and the
    time.
    """
    keys = {edition[0]: edition for edition in editions}

    def convert(record: dict[str, Any]) -> tuple[str, str, float, int]:
        first = next((key for key in keys if key in record), editions[0][0])
        user, item, rating, time = keys[first]
        ids = to_id(record[user]), to_id(record[item])
        return *ids, to_number(record[rating]), to_time(record[time])

    return pd.concat(read_records(path, COLUMNS, convert))


def read_records(
    path: str | os.PathLike[str],
    names: Sequence[str],
    convert: Callable[[Any], Sequence[Any]],
) -> Iterator[pd.DataFrame]:
    r"""Reads a file with a JSON object per line as a table, whose rows are what
    :obj:`convert` makes of them, some after the other.
    """
    rows, start = read_json_lines(path, convert), 0
    while True:
        frame = pd.DataFrame(list(islice(rows, CHUNK_SIZE)), columns=list(names))
        frame.index = pd.RangeIndex(start, start + len(frame), name='record')
        if not frame.empty or start == 0:
            yield frame
        if frame.empty:
            return
        start += len(frame)


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # Python 2 wrote literals, of which nothing is executed.
        with warnings.catch_warnings():  # Of backslashes that escape nothing.
            warnings.simplefilter('ignore')
            return ast.literal_eval(line.decode())


def to_id(value: str) -> str:
    r"""Returns an id, if it is a string of valid Unicode without spaces."""
    (word,) = value.split()
    word.encode()
    return sys.intern(word)  # Each is in memory once.


def to_number(value: Any) -> float:
    r"""Returns a number, if it is finite."""
    if not math.isfinite(number := float(value)):
        raise ValueError(f'{number} is not finite')
    return number


def report_bad(path: str, unit: str, first: str, good: int, bad: int) -> None:
    r"""Warns of the damaged parts of a file, which were skipped, or raises an error if
    nothing else is left, or if they are more than one and than one in twenty.
    """
    got = f'{bad} damaged of {good + bad}, the first one: {first}' if bad else 'none'
    if good == 0 or bad > max(1, MAX_BAD_SHARE * (good + bad)):
        raise ValueError(f"'{path}' needs to hold undamaged {unit} (got {got})")
    if bad > 0:
        warnings.warn(f"'{path}' holds damaged {unit}: {got}", stacklevel=3)
