import base64
import csv
import io
import os
import os.path as osp
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from lgmrec_pyg.storage import atomic_write, reading

FILE, PARQUET = 'catalogue.csv', 'catalogue.parquet'
COLUMNS = ['id', 'title', 'image']
SIZE = 96  # Of a picture, in pixels.
NEEDS = "a table of items with the column 'id' or {!r}, and 'title' or 'image'"


class Entry(NamedTuple):
    r"""An item as people know it.

    Args:
        id (Any): The id of the item.
        title (str, optional): Its title. (default: :obj:`""`)
        image (str, optional): The path of its picture. (default: :obj:`""`)
    """

    id: Any
    title: str = ''
    image: str = ''


class Catalogue:
    r"""Titles and pictures of items.

    Args:
        entries (Iterable[Entry], optional): The items. (default: :obj:`()`)
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {str(entry.id): entry for entry in entries}

    @classmethod
    def read(cls, path: str | os.PathLike[str], item: str = 'item_id') -> 'Catalogue':
        r"""Reads a table of items.

        Args:
            path (str or os.PathLike): The path of a CSV or Parquet file with the column
                :obj:`id`, or the one that :obj:`item` names, and :obj:`title` or
                :obj:`image`, the path of a file, relative to that of the table.
            item (str, optional): The column of ids. (default: :obj:`"item_id"`)

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or lacks a column.
        """
        path = osp.expanduser(os.fspath(path))
        with reading(path, NEEDS.format(item)):
            if path.lower().endswith(('.parquet', '.pq')):
                frame = pd.read_parquet(path).astype(object).fillna('')
            else:
                frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            frame = frame.rename(columns={} if 'id' in frame else {item: 'id'})
            if 'id' not in frame or not {'title', 'image'} & {*frame.columns}:
                raise ValueError(f'it has the columns {[*frame.columns][:20]}')
            frame = frame.reindex(columns=COLUMNS, fill_value='').astype(str)
        folder = osp.dirname(osp.abspath(path))
        rows = frame.itertuples(index=False, name=None)
        return cls(
            Entry(key, title, image and osp.join(folder, image))
            for key, title, image in rows
        )

    @classmethod
    def of_run(cls, folder: str | os.PathLike[str]) -> 'Catalogue':
        r"""Reads the table of a run, if it has one.

        Args:
            folder (str or os.PathLike): The folder of the run.
        """
        paths = [osp.join(folder, name) for name in (FILE, PARQUET)]
        found = [path for path in paths if osp.exists(path)]
        return cls.read(found[0]) if found else cls()

    def save(self, folder: str | os.PathLike[str]) -> None:
        r"""Writes the table to the folder of a run.

        Args:
            folder (str or os.PathLike): The folder of the run.
        """
        with (
            atomic_write(osp.join(folder, FILE)) as partial,
            open(partial, 'w', encoding='utf-8', newline='') as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(self._entries.values())

    def __getitem__(self, item: Any) -> Entry:
        return self._entries.get(str(item), Entry(item))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({len(self)})'


def thumbnail(path: str) -> str | None:
    r"""Returns a small copy of a picture as a :obj:`data:` address, or :obj:`None` if
    the file is missing, or is no picture.

    Args:
        path (str): The path of the file.

    Raises:
        ImportError: If :obj:`pillow` is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Pictures need 'pillow': pip install pillow") from error
    out = io.BytesIO()
    try:
        if not osp.isfile(path):
            return None
        with Image.open(path) as image:
            image.thumbnail((SIZE, SIZE))
            image.convert('RGB').save(out, 'JPEG', quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return f'data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}'
