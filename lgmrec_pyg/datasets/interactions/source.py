r"""Reads the columns of a table from wherever they are."""

import csv
import errno
import lzma
import os
import os.path as osp
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {'.csv': ',', '.tsv': '\t'}
PARQUET = ('.parquet', '.pq')
COMPRESSIONS = ('.gz', '.bz2', '.xz', '.zip')
DAMAGES = (
    EOFError,
    lzma.LZMAError,
    OSError,  # Of bz2.
    RuntimeError,  # Of encrypted files, and of unknown compressions.
    zipfile.BadZipFile,
    zlib.error,
)
CHUNK_SIZE = 2**18
OTHER_SEPARATORS = (';', '\t', ',', '|', '::', ' ')


class TableSource(NamedTuple):
    r"""The columns of a table.

    Args:
        frame (pandas.DataFrame): The columns. Its index counts the places.
        name (str): What error messages call the table.
        unit (str): What error messages call its places: rows or lines.
    """

    frame: 'pd.DataFrame'
    name: str
    unit: str

    def place(self, wrong: np.ndarray) -> str:
        r"""Names the first of the rows that are marked."""
        return f'{self.unit} {self.frame.index[int(wrong.argmax())]}'


def read_columns(
    table: Any, columns: Sequence[str], arguments: Sequence[str]
) -> TableSource:
    r"""Reads columns of a :class:`pandas.DataFrame`, or of a CSV, TSV or Parquet
    file, all of whose values are strings if the file is a text.

    Args:
        table (pandas.DataFrame or str): The table, or the path of its file.
        columns (List[str]): The names of the columns.
        arguments (List[str]): The arguments that choose the columns, for error
            messages.

    Raises:
        ValueError: If a column is missing, or the file is malformed.
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        _check_columns("'interactions'", list(table.columns), columns, arguments)
        frame = table[list(columns)].set_axis(range(len(table)), axis=0)
        return TableSource(frame, "'interactions'", 'row')
    if not isinstance(table, (str, os.PathLike)):
        raise ValueError(
            f"'interactions' needs to be a 'pandas.DataFrame', the path of a file, or "
            f"an 'edge_index' (got {type(table).__name__})"
        )
    path = osp.expanduser(os.fspath(table))
    stem, ending = osp.splitext(path.lower())
    if ending in COMPRESSIONS:
        ending = osp.splitext(stem)[1]
    if ending in PARQUET:
        return _read_parquet(path, columns, arguments)
    if ending not in SEPARATORS:
        raise ValueError(
            f"'{path}' needs to end in one of {[*SEPARATORS, *PARQUET]}, or in "
            f"such an ending and one of {list(COMPRESSIONS)} (got '{ending}'). Read "
            f'other formats with pandas and pass the result'
        )
    return _read_text(path, SEPARATORS[ending], columns, arguments)


def columns_of_edge_index(edge_index: Any, columns: Sequence[str]) -> TableSource:
    r"""Takes the rows of an :obj:`edge_index` as columns.

    Args:
        edge_index (torch.Tensor): The pairs, of shape :math:`(2, *)`.
        columns (List[str]): The names to give to the two columns.

    Raises:
        ValueError: If it is not a pair of rows of non-negative integers.
    """
    import pandas as pd

    pairs = torch.as_tensor(edge_index).detach().cpu().as_subclass(Tensor).numpy()
    if pairs.ndim != 2 or pairs.shape[0] != 2 or pairs.dtype.kind not in 'iu':
        raise ValueError(
            f"'interactions' needs to be an integer tensor of shape [2, *] (got "
            f'{pairs.dtype} of shape {list(pairs.shape)})'
        )
    limit = np.iinfo(np.int64).max
    if pairs.size > 0 and not 0 <= int(pairs.min()) <= int(pairs.max()) <= limit:
        raise ValueError(
            f"'interactions' needs to hold indices from 0 to {limit} (got "
            f'{pairs.min()} to {pairs.max()})'
        )
    frame = pd.DataFrame(dict(zip(columns, pairs.astype(np.int64), strict=True)))
    return TableSource(frame, "'interactions'", 'column')


def _read_parquet(
    path: str, columns: Sequence[str], arguments: Sequence[str]
) -> TableSource:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            f"Reading '{path}' needs 'pyarrow': pip install pyarrow"
        ) from error
    damages = (pa.ArrowException, OSError, ValueError)
    with _naming(path, 'a Parquet file that is undamaged', damages):
        names = pq.read_schema(path).names
    _check_columns(f"'{path}'", names, columns, arguments)
    with _naming(path, 'a Parquet file that is undamaged', damages):
        content = pq.read_table(path, columns=list(columns))
        content.validate(full=True)
        # Metadata of pandas may make one of the columns the index.
        frame = content.to_pandas(ignore_metadata=True)
    return TableSource(frame.set_axis(range(len(frame)), axis=0), f"'{path}'", 'row')


def _read_text(
    path: str, separator: str, columns: Sequence[str], arguments: Sequence[str]
) -> TableSource:
    import pandas as pd

    options: dict[str, Any] = {
        'sep': separator,
        'quoting': csv.QUOTE_NONE if separator == '\t' else csv.QUOTE_MINIMAL,
        'index_col': False,
    }
    strings = {'dtype': str, 'keep_default_na': False, 'skip_blank_lines': False}
    with (
        warnings.catch_warnings(),
        _naming(path, 'undamaged and not encrypted', DAMAGES),
    ):
        # Lines longer than the header would silently lose their last fields:
        warnings.simplefilter('error', pd.errors.ParserWarning)
        _check_archive(path)
        try:
            # As a row: pandas would give names that repeat a number, silently.
            first = pd.read_csv(path, header=None, nrows=1, **strings, **options)
            names = first.iloc[0].tolist()
            _check_columns(f"'{path}'", names, columns, arguments)
            # Given only the columns to use, longer lines would pass unnoticed:
            chunks = pd.read_csv(path, chunksize=CHUNK_SIZE, **strings, **options)
            frame = pd.concat(chunk[list(columns)] for chunk in chunks)
        except pd.errors.EmptyDataError as error:
            raise ValueError(f"'{path}' needs to have a header (got none)") from error
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            reason = str(error).strip()
            raise ValueError(
                f"'{path}' needs to have as many fields in every line as in its "
                f'header ({reason})'
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"'{path}' needs to be encoded in UTF-8 ({error}). Read other "
                f"encodings via 'pandas.read_csv(path, encoding=...)' and pass the "
                f'result'
            ) from error
    frame = frame.set_axis(range(2, len(frame) + 2), axis=0)
    blank = (frame == '').all(axis=1)
    return TableSource(frame[~blank], f"'{path}'", 'line')


def _check_archive(path: str) -> None:
    if path.lower().endswith('.zip'):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if len(names) != 1:
            raise ValueError(
                f"'{path}' needs to be an archive of a single file (got {names[:20]})"
            )


@contextmanager
def _naming(
    path: str, needed: str, damages: tuple[type[Exception], ...]
) -> Iterator[None]:
    try:
        yield
    except damages as error:
        number = error.errno if isinstance(error, OSError) else None
        if number not in (None, errno.EINVAL):
            raise  # It is about access to the file, not about its content.
        raise ValueError(f"'{path}' needs to be {needed} ({error})") from error


def _check_columns(
    name: str, found: list[Any], columns: Sequence[str], arguments: Sequence[str]
) -> None:
    for column, argument in zip(columns, arguments, strict=True):
        if found.count(column) != 1:
            raise ValueError(
                f"{name} needs to have one column '{column}', or another one that "
                f"the argument '{argument}' names (got the columns {found[:20]}"
                f'){_hint(found, column)}'
            )
    if len(set(columns)) < len(columns):
        raise ValueError(
            f'{list(arguments)} need to name different columns (got {list(columns)})'
        )


def _hint(found: list[Any], column: str) -> str:
    header = str(found[0]) if len(found) == 1 else ''
    for separator in OTHER_SEPARATORS:
        if column in header.split(separator) != [header]:
            return (
                f'. Its fields seem to be separated by {separator!r}: pass '
                f"'pandas.read_csv(path, sep={separator!r})'"
            )
    if any(str(name).replace('.', '', 1).isdigit() for name in found):
        return (
            ". Its first line seems to be data: pass 'pandas.read_csv(path, "
            "names=[...])'"
        )
    return ''
