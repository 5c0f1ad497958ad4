r"""Tables of features by ids, in the forms that people have them."""

import os
import os.path as osp
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_integer_dtype, is_list_like
from torch import Tensor

from lgmrec_pyg.datasets.files import opened
from lgmrec_pyg.datasets.frames import is_path, read_frame, to_frame
from lgmrec_pyg.datasets.layout import read_ids
from lgmrec_pyg.graph import ITEM, USER, as_ids
from lgmrec_pyg.storage import atomic_write, reading

ENDINGS = ('.npz', '.npy', '.parquet', '.csv', '.tsv')
PUNCTUATION = re.compile(r'[][,;]')
ID_NAMES = ('item_ids', 'ids')
ID_COLUMNS = ('item_id', 'id', 'Unnamed: 0')
MAX_RATIO = 500  # Only next to nothing but zeros is compressed to less.
MAX_SMALL = 2**28


class FeatureTable(NamedTuple):
    r"""The features of items in one modality: a row per id."""

    ids: np.ndarray
    x: Tensor


def save_item_features(folder: str | os.PathLike[str], features: Any) -> None:
    r"""Writes the features of items to a folder: one file
    :obj:`<modality>.npz` per modality, the same as that of
    :obj:`numpy.savez(path, ids=ids, x=x)`.

    Each file is written completely or not at all.

    Args:
        folder (str): The path of the folder, which is created if needed.
        features (Dict[str, Any]): The features of each modality, in any of the
            forms of :meth:`~lgmrec_pyg.datasets.add_item_features`.

    Raises:
        OSError: If a file cannot be written.
        ValueError: If features are malformed.
    """
    for modality, (ids, x) in read_feature_tables(features).items():
        ids = ids.astype(str) if ids.dtype == object else ids  # Without a pickle.
        path = osp.join(osp.expanduser(folder), modality + '.npz')
        with atomic_write(path) as partial, open(partial, 'wb') as file:
            np.savez(file, ids=ids, x=x.numpy())


def load_item_features(
    folder: str | os.PathLike[str],
) -> dict[str, tuple[list[Any], Tensor]]:
    r"""Reads the features of items from a folder of :meth:`save_item_features`.

    Args:
        folder (str): The path of the folder.

    Returns:
        The ids of the items and the features of each modality, in alphabetical
        order.

    Raises:
        FileNotFoundError: If there is no such folder, or no file in it.
        ValueError: If a file is malformed.
    """
    tables = read_feature_tables(folder)
    return {modality: (ids.tolist(), x) for modality, (ids, x) in tables.items()}


def read_feature_tables(
    features: Any, indexed: bool = False, item: str | int = 'item_id'
) -> dict[str, FeatureTable]:
    r"""Reads the features of each modality, in the forms that
    :meth:`~lgmrec_pyg.datasets.add_item_features` takes. If :obj:`indexed`, rows
    without ids describe the items 0, 1, ...
    """
    if is_path(features):
        folder = osp.expanduser(os.fspath(features))
        names = [osp.splitext(name) for name in sorted(os.listdir(folder))]
        names = [(x, ending) for x, ending in names if ending.lower() in ENDINGS]
        arrays = [x for x, ending in names if ending.lower() == '.npy']
        ids = {*ID_NAMES, *(x.removesuffix('_feat') + '_ids' for x in arrays)}
        names = [(x, ending) for x, ending in names if x not in ids]
        features = {x.removesuffix('_feat'): osp.join(folder, x + y) for x, y in names}
        if len(features) < len(names):
            raise ValueError(
                f"'{folder}' needs to hold one file a modality (got "
                f'{sorted(name + ending for name, ending in names)})'
            )
        if not features:
            raise FileNotFoundError(
                f"'{folder}' needs to hold features, one file '<modality>.npz' per "
                f'modality, or one of {ENDINGS[1:]} (got none)'
            )
    modalities = features if isinstance(features, Mapping) else {'': None}
    is_text = all(isinstance(name, str) for name in modalities)
    if not is_text or {USER, ITEM, ''} & modalities.keys():
        raise ValueError(
            f"'features' needs to be a dictionary from modalities other than '{USER}' "
            f"and '{ITEM}' to features, or the path of a folder (got {features!r:.50})"
        )
    return {
        name: _read_table(name, value, indexed, item)
        for name, value in features.items()
    }


def _read_table(
    modality: str, value: Any, indexed: bool, item: str | int
) -> FeatureTable:
    name = f"'features' of '{modality}'"
    columns: Any = None
    value = value.to_frame() if isinstance(value, pd.Series) else value
    has_index = isinstance(value, pd.DataFrame)
    if is_path(value):
        name, value = f"{name} in '{os.fspath(value)}'", _read_path(value, item)
    elif hasattr(value, 'to_pandas') or hasattr(value, 'collect'):
        value = to_frame(value, None, name)
    if isinstance(value, pd.DataFrame):
        has_index |= not value.index.identical(pd.RangeIndex(len(value)))
        value, columns = _split_ids(name, value, item, has_index)
    elif isinstance(value, Mapping):
        value = list(value), list(value.values())
    elif isinstance(value, (Tensor, np.ndarray)) and indexed and value.ndim > 0:
        value = range(len(value)), value
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(
            f'{name} need to be a table with ids in one column or as its index, a pair '
            f'of ids and rows, a dictionary from ids to rows, or the path of a file '
            f'(got {type(value).__name__})'
        )
    ids, x = (_read_npy(part) if is_path(part) else part for part in value)
    ids, x = as_ids(ids, f'features[{modality!r}]'), _to_rows(name, x)
    columns = range(x.size(-1)) if columns is None else columns
    if x.dim() != 2 or x.numel() == 0 or x.size(0) != len(ids):
        raise ValueError(
            f'{name} need to have one row per id, of shape [{len(ids)}, *] (got '
            f'{list(x.size())})'
        )
    if not x.isfinite().all():
        row, column = (~x.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f'{name} need to be finite (got {x[row, column].item()} for item '
            f'{ids[row : row + 1].tolist()[0]!r} in column {columns[column]!r})'
        )
    return FeatureTable(ids, x)


def _split_ids(
    name: str, frame: pd.DataFrame, item: str | int, has_index: bool
) -> tuple[tuple[Any, Any], Any]:
    r"""Splits a table into its ids and its rows, and returns the names of these."""
    named = [column for column in (item, *ID_COLUMNS) if column in frame.columns]
    has_index &= not isinstance(_first(frame), str)
    if not named and frame.shape[1] > 1 and not has_index:
        named = [frame.columns[0]]
    elif not named and frame.shape[1] > 1 and frame.index.name is None:
        first = frame.iloc[:, 0]
        if all(map(is_integer_dtype, (first, frame.index))) and first.is_unique:
            raise ValueError(
                f'{name} need to say where their ids are, since both their index and '
                f'their column {first.name!r} may be: name it by '
                f"'item={first.name!r}', or the index by 'rename_axis(\"item_id\")'"
            )
    if named:
        frame = frame.set_index(named[0])
    is_vector = isinstance(_first(frame), str) or is_list_like(_first(frame))
    if frame.shape[1] != 1 or not is_vector:
        return (frame.index, frame.to_numpy()), frame.columns
    return (frame.index, frame.iloc[:, 0].tolist()), None


def _first(frame: pd.DataFrame) -> Any:
    return frame.iloc[0, 0] if frame.size > 0 else None


def _to_rows(name: str, rows: Any) -> Tensor:
    try:
        if isinstance(rows, list) and all(isinstance(row, str) for row in rows):
            # Without brackets, a comma may be that of a decimal fraction.
            rows = [PUNCTUATION.sub(' ', x) if '[' in x else x for x in rows]
            rows = [np.array(row.split(), dtype=np.float32) for row in rows]
        if isinstance(rows, list):
            rows = [np.array(x) if isinstance(x, np.ndarray) else x for x in rows]
            rows = torch.stack([torch.as_tensor(row).float().flatten() for row in rows])
        if isinstance(rows, Tensor):
            rows = rows.detach().cpu().to_dense()
            rows = (rows if rows.is_complex() else rows.float()).numpy()
        array = np.asanyarray(rows.toarray() if hasattr(rows, 'toarray') else rows)
        if array.dtype.kind in 'cmM':
            raise TypeError(f'got {array.dtype}')
        with np.errstate(over='ignore'):
            return torch.from_numpy(np.ma.filled(array.astype(np.float32), np.nan))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f'{name} need to be equally long rows of real numbers ({error})'
        ) from error


def _read_path(path: Any, item: str | int) -> Any:
    r"""Reads a file of features: ids and rows, or a table that holds both."""
    path = osp.expanduser(os.fspath(path))
    stem, ending = osp.splitext(path)
    ending = ending.lower()
    if ending == '.npz':
        return _read_npz(path)
    if ending != '.npy':
        frame = read_frame(path, texts=[str(item), *ID_COLUMNS])[1]
        is_numbered = set(frame.index.names) & {'line', 'record', 'file'}
        return frame.reset_index(drop=True) if is_numbered else frame
    stem = stem.removesuffix('_feat')
    beside = [f'{stem}_ids.npy', f'{stem}_ids.txt']
    beside += [osp.join(osp.dirname(path), f'{name}.txt') for name in ID_NAMES]
    found = [name for name in beside if osp.isfile(name)]
    if not found:
        raise FileNotFoundError(f"'{path}' needs ids in one of the files {beside}")
    return found[0], path


def _read_npy(path: Any) -> Any:
    path = osp.expanduser(os.fspath(path))
    if not path.lower().endswith('.npy'):
        return read_ids(path)
    with opened(path) as file, reading(path, "an array, saved via 'numpy.save'"):
        # A map is never larger than its file, whatever the header says:
        return np.array(np.load(file.name, mmap_mode='r', allow_pickle=False))


def _read_npz(path: str) -> tuple[np.ndarray, np.ndarray]:
    needs = "saved via 'numpy.savez(path, ids=ids, x=x)'"
    with (
        opened(path) as source,
        reading(path, needs),
        np.load(source.name, allow_pickle=False) as file,
    ):
        size = sum(member.file_size for member in file.zip.infolist())
        if size > max(MAX_SMALL, MAX_RATIO * osp.getsize(source.name)):
            raise ValueError(f'got {size:,} bytes packed into next to none')
        return file['ids'], file['x']
