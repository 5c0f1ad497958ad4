r"""Tables of features by ids, in the forms that people have them."""

import os
import os.path as osp
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.graph import ITEM, USER, as_ids
from lgmrec_pyg.storage import atomic_write, reading

ENDING = '.npz'
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
        path = osp.join(osp.expanduser(folder), modality + ENDING)
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
    features: Any, indexed: bool = False
) -> dict[str, FeatureTable]:
    r"""Reads the features of each modality, in the forms that
    :meth:`~lgmrec_pyg.datasets.add_item_features` takes. If :obj:`indexed`, rows
    without ids describe the items 0, 1, ...
    """
    if isinstance(features, (str, os.PathLike)):
        folder = osp.expanduser(os.fspath(features))
        names = sorted(name for name in os.listdir(folder) if name.endswith(ENDING))
        features = {n.removesuffix(ENDING): osp.join(folder, n) for n in names}
        if not features:
            raise FileNotFoundError(
                f"'{folder}' needs to hold features, one file '<modality>{ENDING}' per "
                f'modality (got none)'
            )
    if not isinstance(features, Mapping) or {USER, ITEM, ''} & features.keys():
        raise ValueError(
            f"'features' needs to be a dictionary from modalities other than '{USER}' "
            f"and '{ITEM}' to features, or the path of a folder (got {features!r:.50})"
        )
    return {name: _read_table(name, value, indexed) for name, value in features.items()}


def _read_table(modality: str, value: Any, indexed: bool) -> FeatureTable:
    name = f"'features' of '{modality}'"
    if isinstance(value, (str, os.PathLike)):
        value = _read_npz(osp.expanduser(value))
    columns: Any = None
    if isinstance(value, pd.DataFrame):
        columns, value = value.columns, (value.index, value.to_numpy())
    elif isinstance(value, Mapping):
        value = list(value), list(value.values())
    elif isinstance(value, (Tensor, np.ndarray)) and indexed and value.ndim > 0:
        value = range(len(value)), value
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(
            f'{name} need to be a table with ids as its index, a pair of ids and rows, '
            f'a dictionary from ids to rows, or the path of a file (got '
            f'{type(value).__name__})'
        )
    ids, x = as_ids(value[0], f'features[{modality!r}]'), _to_rows(name, value[1])
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


def _to_rows(name: str, rows: Any) -> Tensor:
    try:
        if isinstance(rows, list):
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


def _read_npz(path: str) -> tuple[np.ndarray, np.ndarray]:
    needs = "saved via 'numpy.savez(path, ids=ids, x=x)'"
    with reading(path, needs), np.load(path, allow_pickle=False) as file:
        size = sum(member.file_size for member in file.zip.infolist())
        if size > max(MAX_SMALL, MAX_RATIO * osp.getsize(path)):
            raise ValueError(f'got {size:,} bytes packed into next to none')
        return file['ids'], file['x']
