import os
import os.path as osp
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.exceptions import ComplexWarning
from torch import Tensor

from lgmrec_pyg.datasets.features.npz import read_npz
from lgmrec_pyg.graph import ITEM, USER, as_ids

if TYPE_CHECKING:
    import pandas as pd

ENDING = '.npz'


class FeatureTable(NamedTuple):
    r"""The features of items in one modality.

    Args:
        ids (numpy.ndarray): The id of the item that each row describes.
        x (torch.Tensor): The features, with one row per id.
    """

    ids: np.ndarray
    x: Tensor


def read_feature_tables(
    features: Any, indexed: bool = False
) -> dict[str, FeatureTable]:
    r"""Reads the features of each modality, in the forms that
    :meth:`~lgmrec_pyg.datasets.add_item_features` takes.

    Args:
        features (Dict[str, Any] or str): The features.
        indexed (bool, optional): If set to :obj:`True`, rows without ids
            describe the items 0, 1, ... (default: :obj:`False`)

    Raises:
        ValueError: If features are malformed, naming the modality, and the item
            and the column of entries that are not finite.
    """
    if isinstance(features, (str, os.PathLike)):
        features = _list_files(osp.expanduser(features))
    if not isinstance(features, Mapping):
        raise ValueError(
            f"'features' needs to be a dictionary from modalities to features, or the "
            f'path of a folder (got {type(features).__name__})'
        )
    out = {}
    for modality, value in features.items():
        if not isinstance(modality, str) or modality in ('', USER, ITEM):
            raise ValueError(
                f"'features' needs to hold modalities that are named other than "
                f"'{USER}' and '{ITEM}' (got {modality!r})"
            )
        out[modality] = _read_table(modality, value, indexed)
    return out


def _list_files(folder: str) -> dict[str, str]:
    if osp.isfile(folder):
        raise ValueError(
            f"'features' needs to be the path of a folder, or a dictionary such as "
            f"{{'text': '{folder}'}} (got a file)"
        )
    names = sorted(name for name in os.listdir(folder) if name.endswith(ENDING))
    if len(names) == 0:
        raise FileNotFoundError(
            f"'{folder}' needs to hold features, one file '<modality>{ENDING}' per "
            f'modality (got none)'
        )
    return {name.removesuffix(ENDING): osp.join(folder, name) for name in names}


def _read_table(modality: str, value: Any, indexed: bool) -> FeatureTable:
    import pandas as pd

    name = f"'features' of '{modality}'"
    if isinstance(value, (str, os.PathLike)):
        value = read_npz(osp.expanduser(value))
    columns, keys, rows = None, value, value  # type: tuple[Any, Any, Any]
    if isinstance(value, pd.DataFrame):
        columns = list(value.columns)
        keys, rows = value.index, _numeric_columns(name, value)
    elif isinstance(value, Mapping):
        keys, rows = list(value), _stack_rows(name, value)
    elif isinstance(value, tuple) and len(value) == 2:
        keys, rows = value
    elif isinstance(value, (Tensor, np.ndarray)) and indexed and value.ndim > 0:
        keys, rows = range(len(value)), value
    else:
        raise ValueError(
            f'{name} need to be a table with ids as its index, a pair of ids and rows, '
            f'a dictionary from ids to rows, or the path of a file (got '
            f'{type(value).__name__})'
        )
    ids = as_ids(keys, f'features[{modality!r}]')
    x = _as_rows(name, rows)
    if x.dim() != 2 or x.numel() == 0 or x.size(0) != len(ids):
        raise ValueError(
            f'{name} need to have one row per id, of shape [{len(ids)}, *] (got '
            f'{list(x.size())})'
        )
    _check_finite(name, ids, x, columns)
    return FeatureTable(ids, x)


def _as_rows(name: str, rows: Any) -> Tensor:
    try:
        if not isinstance(rows, Tensor):
            rows = torch.from_numpy(_as_array(rows))
        elif rows.is_complex():
            raise TypeError(f'got {rows.dtype}')
        return rows.detach().cpu().to_dense().float()
    except (TypeError, ValueError, RuntimeError, ComplexWarning) as error:
        raise ValueError(
            f'{name} need to be equally long rows of numbers ({error})'
        ) from error


def _as_array(rows: Any) -> np.ndarray:
    if hasattr(rows, 'toarray'):  # A sparse matrix of SciPy.
        rows = rows.toarray()
    array = np.ma.asarray(rows) if np.ma.isMaskedArray(rows) else np.asarray(rows)
    if array.dtype.kind in 'cmM':
        raise TypeError(f'got {array.dtype}')
    with np.errstate(over='ignore'), warnings.catch_warnings():
        warnings.simplefilter('error', ComplexWarning)  # Of arrays of objects.
        return np.ma.filled(array.astype(np.float32), np.nan)


def _numeric_columns(name: str, frame: 'pd.DataFrame') -> np.ndarray:
    import pandas as pd

    repeated = frame.columns[frame.columns.duplicated()].tolist()
    if repeated:
        raise ValueError(
            f'{name} need to have columns of different names (got {repeated[0]!r} '
            f'twice, and {len(repeated)} repetitions in total)'
        )
    for column, dtype in frame.dtypes.items():
        is_number = pd.api.types.is_numeric_dtype(dtype) and dtype.kind not in 'cmM'
        if len(frame) > 0 and not is_number:
            raise ValueError(
                f'{name} need to hold real numbers (got {frame[column].iloc[0]!r} of '
                f'type {dtype} in column {column!r}; the ids belong in the index)'
            )
    with np.errstate(over='ignore'):
        return frame.to_numpy(dtype=np.float32, na_value=np.nan)


def _stack_rows(name: str, rows: Mapping[Any, Any]) -> Tensor:
    vectors = {key: _as_rows(name, row).flatten() for key, row in rows.items()}
    sizes = {key: x.numel() for key, x in vectors.items()}
    first = next(iter(sizes), None)
    for key, size in sizes.items():
        if size != sizes[first]:
            raise ValueError(
                f'{name} need to be equally long rows (got {sizes[first]} numbers for '
                f'{first!r}, and {size} for {key!r})'
            )
    return torch.stack(list(vectors.values())) if vectors else torch.empty(0, 0)


def _check_finite(
    name: str, ids: np.ndarray, x: Tensor, columns: list[Any] | None
) -> None:
    finite = x.isfinite()
    if not finite.all():
        row, column = (~finite).nonzero()[0].tolist()
        raise ValueError(
            f'{name} need to be finite (got {x[row, column].item()} for item '
            f'{ids[row : row + 1].tolist()[0]!r} in column '
            f'{column if columns is None else columns[column]!r}, and '
            f'{int((~finite).sum())} such entries in total)'
        )
