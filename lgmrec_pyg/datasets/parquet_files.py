r"""Parquet files as data frames, whole or some rows after the other."""

import os.path as osp
from collections.abc import Iterator
from typing import Any

import pandas as pd

from lgmrec_pyg.datasets.text_tables import Columns, check_columns
from lgmrec_pyg.storage import reading

NEEDS = 'undamaged Parquet, with the same columns in every file'


def read_parquet(
    path: str, files: list[str], columns: Columns | None, part_rows: int | None = None
) -> Iterator[pd.DataFrame]:
    r"""Reads the columns of a file, or of all files of a folder, whose names may hold
    further ones as in :obj:`day=1/0.parquet`, see
    :func:`~lgmrec_pyg.datasets.frames.read_parts`.
    """
    try:
        from pyarrow import dataset
    except ImportError as error:
        raise ImportError(
            f"Reading '{path}' needs 'pyarrow': pip install pyarrow"
        ) from error
    is_folder = osp.isdir(path)
    options = {'partitioning': 'hive', 'partition_base_dir': path} if is_folder else {}
    with reading(path, NEEDS):
        content = dataset.dataset(files, format='parquet', **options)
        found = content.schema.names
    if columns is not None:
        check_columns(f"'{path}'", found, columns)
    names = None if columns is None else list(dict.fromkeys(columns.values()))
    if part_rows is not None:
        yield from _read_parts(path, content, names, part_rows)
        return
    with reading(path, NEEDS):
        table = content.to_table(names)
        table.validate(full=True)
        # Metadata of pandas may make one of the columns the index:
        frame = table.to_pandas(ignore_metadata=columns is not None)
    yield frame if columns is None else frame.rename_axis('row')


def _read_parts(
    path: str, content: Any, names: list[str] | None, part_rows: int
) -> Iterator[pd.DataFrame]:
    from pyarrow import Table

    batches = content.to_batches(
        columns=names, batch_size=part_rows, batch_readahead=1, fragment_readahead=1
    )
    start, held, num_rows, ended = 0, [], 0, False
    while not ended:
        with reading(path, NEEDS):
            batch = next(batches, None)
            ended = batch is None
            if batch is not None:
                batch.validate(full=True)
                held.append(batch)
                num_rows += batch.num_rows
            if (num_rows < part_rows and not ended) or not held:
                continue
            frame = Table.from_batches(held).to_pandas(ignore_metadata=True)
        frame.index = pd.RangeIndex(start, start + num_rows, name='row')
        yield frame
        start, held, num_rows = start + num_rows, [], 0
