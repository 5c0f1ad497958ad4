r"""Readers of the folder layout that multimodal recommendation shares:
``<name>/<name>.inter``, ``<name>/<modality>_feat.npy`` and, optionally,
``<name>/user_ids.txt`` and ``<name>/item_ids.txt``.
"""

import csv
import os.path as osp
import re
import warnings
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

NPY_DAMAGE = (EOFError, OverflowError, SyntaxError, TokenError, TypeError, ValueError)
COLUMNS = ['userID', 'itemID', 'x_label']
SEPARATORS = {',': 'comma', ';': 'semicolon', ' ': 'space', '|': 'bar'}


class Interactions(NamedTuple):
    r"""The interactions of a dataset.

    Args:
        train (torch.Tensor): The training pairs :math:`(u, i)` of shape
            :math:`(2, *)`.
        val (torch.Tensor): The validation pairs of shape :math:`(2, *)`.
        test (torch.Tensor): The test pairs of shape :math:`(2, *)`.
        num_users (int): The number of users, *i.e.* the largest ID plus one.
        num_items (int): The number of items, *i.e.* the largest ID plus one.
    """

    train: Tensor
    val: Tensor
    test: Tensor
    num_users: int
    num_items: int


def read_interactions(path: str) -> Interactions:
    r"""Reads an ``.inter`` file: tab-separated values with a header that names
    at least the columns ``userID``, ``itemID`` and ``x_label``, the latter
    being 0 (training), 1 (validation) or 2 (test).

    Pairs that occur repeatedly are merged with a warning. A pair of several
    splits is kept in the first of training, validation and test.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is malformed, naming the line and the column.
    """
    import pandas as pd

    num_fields = _check_header(path)
    try:
        frame = _read_csv(path, dtype=dict.fromkeys(COLUMNS, np.int64))[COLUMNS]
    except pd.errors.ParserError as error:
        raise ValueError(
            f"'{path}' needs to have {num_fields} tab-separated fields in every "
            f'line ({str(error).strip()})'
        ) from error
    except (ValueError, OverflowError) as error:
        raise _bad_cell_error(path, str(error)) from error
    if (frame < 0).any(axis=None) or (frame['x_label'] > 2).any():
        raise _bad_cell_error(path, 'a number out of range')
    frame = _merge_repeated(path, frame)
    if not (frame['x_label'] == 0).any():
        raise ValueError(
            f"'{path}' needs to have at least one training pair (got "
            f"{len(frame)} rows, none with 'x_label' 0)"
        )
    users_and_items = torch.from_numpy(frame[COLUMNS[:2]].to_numpy().T.copy())
    x_label = torch.from_numpy(frame['x_label'].to_numpy().copy())
    num_users, num_items = (users_and_items.max(dim=1).values + 1).tolist()
    splits = [users_and_items[:, x_label == i] for i in range(3)]
    return Interactions(splits[0], splits[1], splits[2], num_users, num_items)


def read_features(path: str, num_items: int) -> Tensor:
    r"""Reads the features of a modality from a ``.npy`` file with one row per
    item, as single-precision floating-point numbers.

    A row of nothing but :obj:`nan` belongs to an item that lacks the modality.
    Pickled content is refused, never loaded.

    Args:
        path (str): The path of the file.
        num_items (int): The number of rows that the file needs to have at
            least. Further rows belong to items without interactions.

    Raises:
        ValueError: If the file is malformed, naming the row and the column.
    """
    x = _load_npy(path)
    if x.ndim != 2 or x.shape[1] == 0 or x.dtype.kind not in 'fiu':
        raise ValueError(
            f"'{path}' needs to hold a two-dimensional array of numbers, one row "
            f'per item (got {x.dtype} of shape {list(x.shape)})'
        )
    if x.shape[0] < num_items:
        raise ValueError(
            f"'{path}' needs to have a row for each of the {num_items} items "
            f'(got {x.shape[0]} rows)'
        )
    with np.errstate(over='ignore'):
        out = torch.from_numpy(x.astype(np.float32))
    finite = out.isfinite() | out.isnan().all(dim=1, keepdim=True)
    if not finite.all():
        row, column = (~finite).nonzero()[0].tolist()
        raise ValueError(
            f"'{path}' needs to hold finite single-precision numbers (got "
            f'{x[row, column]} in row {row}, column {column}, and '
            f'{int((~finite).sum())} such entries in total)'
        )
    return out


def read_ids(path: str) -> list[str]:
    r"""Reads the ids of users or items, one per line.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If an id is empty or repeated, naming the line.
    """
    with open(path, encoding='utf-8-sig') as file:
        try:
            ids = file.read().removesuffix('\n').split('\n')
        except UnicodeDecodeError as error:
            raise ValueError(
                f"'{path}' needs to be encoded in UTF-8 ({error})"
            ) from error
    lines: dict[str, int] = {}
    for line, id_ in enumerate(ids, 1):
        if id_ == '' or lines.setdefault(id_, line) != line:
            problem = f"'{id_}' of line {lines.get(id_)} again" if id_ else 'none'
            raise ValueError(
                f"'{path}' needs to hold one id per line, each once (got {problem} "
                f'in line {line})'
            )
    return ids


def _check_header(path: str) -> int:
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        header = file.readline().rstrip('\r\n')
    if header.strip() == '':
        size = osp.getsize(path)
        raise ValueError(
            f"'{path}' needs to start with a header of the columns {COLUMNS} "
            f'(got {"an empty file" if size == 0 else "an empty first line"})'
        )
    names = header.split('\t')
    for separator, word in SEPARATORS.items():
        if len(names) == 1 and set(COLUMNS) <= set(header.split(separator)):
            raise ValueError(
                f"'{path}' needs to be separated by tabs (got a {word} in the "
                f"header '{header}')"
            )
    for name in COLUMNS:
        if names.count(name) != 1:
            raise ValueError(
                f"'{path}' needs to have exactly one column '{name}' in its "
                f'header (got {names[:20]})'
            )
    return len(names)


def _read_csv(path: str, **kwargs: Any) -> 'pd.DataFrame':
    import pandas as pd

    with warnings.catch_warnings():
        # Rows longer than the header would silently lose their last fields:
        warnings.simplefilter('error', pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                path,
                sep='\t',
                index_col=False,
                quoting=csv.QUOTE_NONE,
                encoding_errors='replace',
                **kwargs,
            )
        except pd.errors.ParserWarning as warning:
            raise pd.errors.ParserError('The first line has more') from warning


def _bad_cell_error(path: str, got: str) -> ValueError:
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        names = next(file).rstrip('\n').split('\t')
        for number, line in enumerate(file, start=2):
            cells = dict(zip(names, line.rstrip('\n').split('\t'), strict=False))
            wrong = [name for name in COLUMNS if not _is_good(name, cells.get(name))]
            if wrong and line.strip(' \n') != '':
                kind = '0, 1 or 2' if wrong[0] == 'x_label' else 'non-negative integers'
                return ValueError(
                    f"'{path}' needs to hold {kind} in column '{wrong[0]}' (got "
                    f"'{cells.get(wrong[0], '')}' in line {number})"
                )
    return ValueError(f"'{path}' needs to hold non-negative integers (got {got})")


def _is_good(name: str, cell: str | None) -> bool:
    number = '[012]' if name == 'x_label' else '[0-9]{1,18}'
    return re.fullmatch(rf' *{number}(\.0+)? *', cell or '') is not None


def _merge_repeated(path: str, frame: 'pd.DataFrame') -> 'pd.DataFrame':
    distinct = frame.drop_duplicates()
    merged = distinct.sort_values('x_label', kind='stable')
    merged = merged.drop_duplicates(COLUMNS[:2]).sort_index()
    if len(merged) < len(frame):
        warnings.warn(
            f"'{path}' holds {len(frame) - len(merged)} repeated pairs, which were "
            f'merged ({len(frame) - len(distinct)} within a split, and '
            f'{len(distinct) - len(merged)} of several splits, kept in the first '
            f'of training, validation and test)',
            stacklevel=3,
        )
    return merged


def _load_npy(path: str) -> np.ndarray:
    with open(path, 'rb') as file:
        magic = file.read(len(np.lib.format.MAGIC_PREFIX))
    if magic != np.lib.format.MAGIC_PREFIX:
        raise ValueError(
            f"'{path}' needs to be an array saved via 'numpy.save' (got another "
            f'format, such as a pickle or an archive, which is not loaded)'
        )
    try:
        x: np.ndarray = np.load(path, allow_pickle=False)
    except NPY_DAMAGE as error:
        raise ValueError(
            f"'{path}' needs to be a complete array of numbers; pickled objects "
            f'are not loaded ({error})'
        ) from error
    return x
