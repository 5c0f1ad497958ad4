r"""Texts with a row a line, as data frames. What :func:`pandas.read_csv` lacks is to
find the separator fast, and to refuse a line that is longer than the header.
"""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from lgmrec_pyg.storage import reading

Columns = Mapping[str, Any]

CHUNK_SIZE = 2**18
MAX_LINE_SIZE = 2**22
SEPARATORS = (',', '\t', ';', '|', '::')
SPACES = r'\s+'
MARKS = {codecs.BOM_UTF16_LE: 'utf-16', codecs.BOM_UTF16_BE: 'utf-16'}
TYPES = re.compile(r':(token|float)(_seq)?$')  # Of columns in files of RecBole.
TEXT = 'undamaged text in UTF-8, with as many fields in every line as in the first'


def read_text(
    path: str,
    text: Any,
    columns: Columns | None,
    separator: str | None,
    texts: Sequence[str] | None,
) -> Iterator[pd.DataFrame]:
    r"""Reads the columns of a text, some lines after the other, see
    :func:`~lgmrec_pyg.datasets.frames.read_parts`.
    """
    wanted = [] if columns is None else list(dict.fromkeys(columns.values()))
    has_header = not wanted or not all(isinstance(name, int) for name in wanted)
    with reading(path, TEXT):
        encoding = MARKS.get(text.read(2), 'utf-8-sig')
        text.seek(0)
        reader = io.TextIOWrapper(text, encoding)
        line = reader.readline(MAX_LINE_SIZE).rstrip('\r\n')
        reader.detach()
        text.seek(0)
        if not line:
            raise ValueError('No columns to parse from file')
        separator, fields = _split_header(line, separator, wanted)
    names = fields if has_header else list(range(len(fields)))
    if columns is not None:
        check_columns(f"'{path}'", names, columns)
    is_quoted = separator != '\t' or '"' in line
    is_plain = len(separator) == 1 or separator == SPACES
    known = [*(texts or ()), fields[0] or 'Unnamed: 0']
    options: dict[str, Any] = {
        'sep': separator if is_plain else re.escape(separator),
        'header': 0 if has_header else None,
        'dtype': str if wanted or texts is None else dict.fromkeys(known, str),
        'encoding': encoding,
        'engine': 'c' if is_plain else 'python',
        'quoting': csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE,
        'keep_default_na': False,
        'skip_blank_lines': False,
        'index_col': False,
        'chunksize': CHUNK_SIZE,
    }
    with reading(path, TEXT):
        chunks = pd.read_csv(text, **options)
    while True:
        with reading(path, TEXT), warnings.catch_warnings():
            # Lines longer than the header would silently lose their last fields, as
            # they would if only the columns to use were read:
            warnings.simplefilter('error', pd.errors.ParserWarning)
            chunk = next(chunks, None)
            if chunk is None:
                return
            chunk = chunk.set_axis(names, axis=1)
        chunk.index = chunk.index.rename('line') + 1 + has_header
        chunk = chunk[wanted] if wanted else chunk
        yield chunk[(chunk != '').any(axis=1)]


def check_columns(name: str, found: list[Any], columns: Columns) -> None:
    r"""Raises an error if a column is missing, or is there repeatedly."""
    for argument, column in columns.items():
        if found.count(column) != 1:
            raise ValueError(
                f"{name} needs to have one column '{column}', or another one that the "
                f"argument '{argument}' names, by its position from 0 if there is no "
                f'header (got the columns {found[:20]})'
            )


def _split_header(
    line: str, separator: str | None, wanted: Sequence[Any]
) -> tuple[str, list[str]]:
    r"""Returns the separator, under which the wanted columns are found if possible,
    and the columns.
    """
    best, best_score = ('', [line]), (False, 0.0)
    for candidate in [separator] if separator else [*SEPARATORS, SPACES]:
        fields = _split(line, candidate)
        if not set(wanted) <= set(fields) and all(map(TYPES.search, fields)):
            fields = [TYPES.sub('', field) for field in fields]
        # Spaces are more often part of a field than between two of them:
        num_fields = min(len(fields), 1.5) if candidate == SPACES else len(fields)
        score = set(wanted) <= set(fields), num_fields
        if score > best_score:
            best, best_score = (candidate, fields), score
    return best


def _split(line: str, separator: str) -> list[str]:
    if len(separator) == 1:
        return next(csv.reader([line], delimiter=separator))
    return line.split(None if separator == SPACES else separator)
