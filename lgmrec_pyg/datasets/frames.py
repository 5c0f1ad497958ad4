r"""Tables in the forms that people have them, as data frames."""

import json
import os
import os.path as osp
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.datasets.files import (
    PARQUET,
    decompressed,
    list_files,
    opened,
    starts_with,
)
from lgmrec_pyg.datasets.json_lines import read_json_lines, read_records
from lgmrec_pyg.datasets.parquet_files import read_parquet
from lgmrec_pyg.datasets.text_tables import TEXT, Columns, check_columns, read_text
from lgmrec_pyg.storage import reading

NEEDS = (
    "needs to be a table of 'pandas', 'polars' or 'pyarrow', the path of a file, a "
    'list of pairs, a sparse matrix, or, without ratings and timestamps, an '
    "'edge_index' of shape [2, *]"
)


def read_frame(
    source: Any,
    columns: Columns | None = None,
    separator: str | None = None,
    texts: Sequence[str] | None = (),
    name: str = "'interactions'",
) -> tuple[str, pd.DataFrame]:
    r"""Reads a table from files, see :func:`read_parts`, or an object that holds one.

    Args:
        source (Any): The table.
        columns, separator, texts (optional): See :func:`read_parts`.
        name (str, optional): What error messages call an object.
            (default: :obj:`"'interactions'"`)

    Returns:
        What error messages call the table, and its rows, whose index is named as
        they are in the source.
    """
    if not are_paths(source):
        return name, to_frame(source, columns, name)
    parts = list(read_parts(source, columns, separator, texts))
    frames = [frame for _, frame in parts]
    return parts[0][0], frames[0] if len(frames) == 1 else pd.concat(frames)


def read_parts(
    source: Any,
    columns: Columns | None = None,
    separator: str | None = None,
    texts: Sequence[str] | None = (),
    part_rows: int | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    r"""Reads the rows of files some after the other.

    Args:
        source (str or List[str]): The path or address of a file, that of a folder
            with the parts of one table, or a list of such parts.
        columns (Dict[str, str or int], optional): The columns to read, by the
            arguments that name them. Positions stand for those of a file without a
            header. All are strings where the source has no types. If :obj:`None`,
            reads all, and finds their types. (default: :obj:`None`)
        separator (str, optional): The separator of the fields of a text. If
            :obj:`None`, it is found. (default: :obj:`None`)
        texts (List[str], optional): The columns that are strings whatever they look
            like, as the first one is, if :obj:`columns` are not given. If :obj:`None`,
            all are. (default: :obj:`()`)
        part_rows (int, optional): The number of rows of Parquet to read at once. If
            :obj:`None`, reads all. (default: :obj:`None`)

    Returns:
        What error messages call each part, and its rows, whose index is named as
        they are in the source.
    """
    paths = source if isinstance(source, list) else [source]
    paths = [osp.expanduser(os.fspath(path)) for path in paths]
    path = paths[0]
    if len(paths) == 1 and not osp.isdir(path):
        with opened(path) as file:
            for frame in _read_file(path, file, columns, separator, texts, part_rows):
                yield f"'{path}'", frame
        return
    paths = list_files(path) if osp.isdir(path) else paths
    kinds = [_is_parquet(part) for part in paths]
    if not paths or len(set(kinds)) > 1:
        raise FileNotFoundError(
            f"'{path}' needs to hold files of one kind, Parquet or text (got "
            f'{len(paths)}, {sum(kinds)} of them Parquet)'
        )
    if kinds[0]:
        for frame in read_parquet(path, paths, columns, part_rows):
            yield f"'{path}'", frame
        return
    for part in paths:
        yield from read_parts(part, columns, separator, texts, part_rows)


def are_paths(source: Any) -> bool:
    r"""Returns whether a source is a path, or a list of paths."""
    if isinstance(source, list):
        return len(source) > 0 and all(map(is_path, source))
    return is_path(source)


def is_path(value: Any) -> bool:
    r"""Returns whether a value is a path or an address."""
    return isinstance(value, (str, os.PathLike))


def is_matrix(value: Any) -> bool:
    r"""Returns whether a value holds indices of users and items instead of ids."""
    is_array = isinstance(value, (Tensor, np.ndarray)) and value.dtype != object
    return is_array or hasattr(value, 'tocoo')


def to_frame(table: Any, columns: Columns | None, name: str) -> pd.DataFrame:
    r"""Returns an object that holds a table as a data frame."""
    table = table.collect() if hasattr(table, 'collect') else table  # Lazy ones.
    kind = getattr(getattr(table, 'dtype', None), 'kind', '')
    if hasattr(table, 'to_pandas'):
        table = table.to_pandas()
    elif isinstance(table, (list, Mapping)) or kind in tuple('OUSV'):
        with reading(name.strip("'"), 'rows of equally many fields'):
            table = pd.DataFrame(_checked(table))
    elif columns is not None and not isinstance(table, pd.DataFrame):
        table = _matrix_to_frame(table, columns)
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f'{name} {NEEDS} (got {type(table).__name__})')
    if columns is None:
        return table
    names = list(dict.fromkeys(columns.values()))
    if table.shape == (0, 0):
        return pd.DataFrame(columns=names)
    is_numbered = isinstance(table.columns, pd.RangeIndex)
    is_numbered &= not {*names} <= {*table.columns}  # Asked for by their numbers.
    if is_numbered and table.shape[1] == len(names):
        table = table.set_axis(names, axis=1)
    if not {*names}.difference(table.columns).isdisjoint(table.index.names):
        table = table.reset_index()
    check_columns(name, list(table.columns), columns)
    return table[names].reset_index(drop=True).rename_axis('row')


def _checked(rows: Any) -> Any:
    if isinstance(rows, list) and all(isinstance(row, (list, tuple)) for row in rows):
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:  # Short ones would be filled up.
            raise ValueError(f'got rows of {sorted(lengths)[:5]} fields')
    return rows


def _matrix_to_frame(matrix: Any, columns: Columns) -> Any:
    values = None
    if isinstance(matrix, (Tensor, np.ndarray)):
        matrix = torch.as_tensor(matrix).detach().cpu()
    if isinstance(matrix, Tensor) and matrix.layout != torch.strided:
        matrix = matrix.to_sparse_coo().coalesce()
        pairs, values = matrix.indices().numpy(), matrix.values().numpy()
    elif hasattr(matrix, 'tocoo'):
        matrix = matrix.tocoo()
        pairs, values = np.stack([matrix.row, matrix.col]), matrix.data
    elif isinstance(matrix, Tensor) and len(columns) == 2:
        pairs = matrix.as_subclass(Tensor).numpy()
    else:
        return matrix
    if pairs.ndim != 2 or len(pairs) != 2 or pairs.dtype.kind not in 'iu':
        return matrix
    names = [columns[key] for key in ('user', 'item')]
    frame = pd.DataFrame(pairs.T, columns=names)
    if values is None:
        return frame
    others = columns.keys() - {'user', 'item', 'timestamp'}
    return frame.assign(**{columns[key]: values for key in others})[values != 0]


def _is_parquet(path: str) -> bool:
    with opened(path) as file:
        return starts_with(file, PARQUET)


def _read_file(
    path: str,
    file: IO[bytes],
    columns: Columns | None,
    separator: str | None,
    texts: Sequence[str] | None,
    part_rows: int | None,
) -> Iterator[pd.DataFrame]:
    if starts_with(file, PARQUET):
        return read_parquet(path, [file.name], columns, part_rows)
    with reading(path, TEXT):
        text = decompressed(file)
        is_json = starts_with(text, b'{')
        is_list = starts_with(text, b'[', b'{')
        records = pd.DataFrame(json.load(text)) if is_list else None
    if records is not None:
        return iter([to_frame(records, columns, f"'{path}'")])
    if not is_json:
        return read_text(path, text, columns, separator, texts)
    if columns is None:
        return iter([pd.DataFrame(list(read_json_lines(path, dict)))])
    names = list(dict.fromkeys(columns.values()))
    return read_records(path, names, lambda record: [record[key] for key in names])
