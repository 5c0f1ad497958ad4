r"""Tables in the forms that people have them, as data frames."""

import os
import os.path as osp
from collections.abc import Mapping, Sequence
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
    texts: Sequence[str] = (),
    name: str = "'interactions'",
) -> tuple[str, pd.DataFrame]:
    r"""Reads a table: the path or address of a file, of a folder of parts of one, or
    a list of such, or an object that holds one.

    Args:
        source (Any): The table.
        columns (Dict[str, str or int], optional): The columns to read, by the
            arguments that name them. Positions stand for those of a file without a
            header. All are strings where the source has no types. If :obj:`None`,
            reads all, and finds their types. (default: :obj:`None`)
        separator (str, optional): The separator of the fields of a text. If
            :obj:`None`, it is found. (default: :obj:`None`)
        texts (List[str], optional): The columns that are strings whatever they look
            like, as the first one is, if :obj:`columns` are not given.
        name (str, optional): What error messages call an object.
            (default: :obj:`"'interactions'"`)

    Returns:
        What error messages call the table, and its rows, whose index is named as
        they are in the source.
    """
    paths = source if isinstance(source, list) else [source]
    if not paths or not all(map(is_path, paths)):
        return name, to_frame(source, columns, name)
    if len(paths) == 1 and osp.isdir(path := osp.expanduser(os.fspath(paths[0]))):
        paths = list_files(path) or [path]
        with opened(paths[0]) as file:
            is_parquet = starts_with(file, PARQUET)
        if is_parquet:
            return f"'{path}'", _read_parquet_folder(path, paths, columns)
    frames = [_read_file(os.fspath(path), columns, separator, texts) for path in paths]
    name = f"'{os.fspath(source if is_path(source) else paths[0])}'"
    if len(frames) == 1:
        return name, frames[0]
    keys = [osp.basename(path) for path in paths]
    return name, pd.concat(frames, keys=keys, names=['file', frames[0].index.name])


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
        table = pd.DataFrame(table)
    elif columns is not None and not isinstance(table, pd.DataFrame):
        table = _matrix_to_frame(table, columns)
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f'{name} {NEEDS} (got {type(table).__name__})')
    if columns is None:
        return table
    names = list(columns.values())
    if isinstance(table.columns, pd.RangeIndex) and table.shape[1] == len(names):
        table = table.set_axis(names, axis=1)
    if not set(names).isdisjoint(table.index.names):
        table = table.reset_index()
    check_columns(name, list(table.columns), columns)
    return table[names].reset_index(drop=True).rename_axis('row')


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


def _read_file(
    path: str, columns: Columns | None, separator: str | None, texts: Sequence[str]
) -> pd.DataFrame:
    with opened(path) as file:
        if starts_with(file, PARQUET):
            return _read_parquet(path, file, columns)
        with reading(path, TEXT):
            text = decompressed(file)
            is_json = starts_with(text, b'{')
        if not is_json:
            return read_text(path, text, columns, separator, texts)
    if columns is None:
        return pd.DataFrame(list(read_json_lines(path, dict)))
    names = list(columns.values())
    frame = read_records(path, names, lambda record: [record[key] for key in names])
    return frame.rename_axis('record')


def _read_parquet(path: str, file: IO[bytes], columns: Columns | None) -> pd.DataFrame:
    from pyarrow import parquet

    needs = 'an undamaged Parquet file'
    with reading(path, needs):
        content = parquet.ParquetFile(file)
    if columns is not None:
        check_columns(f"'{path}'", content.schema_arrow.names, columns)
    with reading(path, needs):
        table = content.read(None if columns is None else list(columns.values()))
        return _validated(table, columns)


def _read_parquet_folder(
    path: str, files: list[str], columns: Columns | None
) -> pd.DataFrame:
    from pyarrow import dataset

    needs = 'a folder of undamaged Parquet files with the same columns'
    with reading(path, needs):
        content = dataset.dataset(files, partitioning='hive', partition_base_dir=path)
    if columns is not None:
        check_columns(f"'{path}'", content.schema.names, columns)
    with reading(path, needs):
        table = content.to_table(None if columns is None else list(columns.values()))
        return _validated(table, columns)


def _validated(table: Any, columns: Columns | None) -> pd.DataFrame:
    table.validate(full=True)
    if columns is None:
        return table.to_pandas()
    # Metadata of pandas may make one of the columns the index:
    return table.to_pandas(ignore_metadata=True).rename_axis('row')
