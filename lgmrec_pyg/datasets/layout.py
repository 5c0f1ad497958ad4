r"""Readers of the folder layout that multimodal recommendation shares:
``<name>/<name>.inter``, ``<name>/<modality>_feat.npy`` and, optionally,
``<name>/user_ids.txt`` and ``<name>/item_ids.txt``, or MMRec's
``<name>/u_id_mapping.csv`` and ``<name>/i_id_mapping.csv``.
"""

import csv
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lgmrec_pyg.datasets.frames import read_frame
from lgmrec_pyg.storage import reading

COLUMNS = ['userID', 'itemID', 'x_label']


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
        ValueError: If the file is malformed, naming what is wrong.
    """
    needs = (
        "separated by tabs, with 'userID' and 'itemID' from 0 and an 'x_label' of 0, "
        '1 or 2 in every line'
    )
    with reading(path, needs), warnings.catch_warnings():
        # Lines longer than the header would silently lose their last fields:
        warnings.simplefilter('error', pd.errors.ParserWarning)
        frame = pd.read_csv(
            path,
            sep='\t',
            index_col=False,
            dtype=dict.fromkeys(COLUMNS, np.int64),
            quoting=csv.QUOTE_NONE,
            encoding_errors='replace',
        )[COLUMNS]
        wrong = (frame < 0).any(axis=1) | (frame['x_label'] > 2)
        if wrong.any():
            raise ValueError(f'got {frame[wrong].iloc[0].to_dict()}')
        if not (frame['x_label'] == 0).any():
            raise ValueError("got no training pair, with an 'x_label' of 0")
    distinct = frame.sort_values('x_label', kind='stable')
    distinct = distinct.drop_duplicates(COLUMNS[:2]).sort_index()
    if len(distinct) < len(frame):
        warnings.warn(
            f"'{path}' holds {len(frame) - len(distinct)} repeated pairs, which were "
            f'merged (those of several splits into the first one)',
            stacklevel=2,
        )
    user, item, label = torch.from_numpy(distinct.to_numpy().T.copy())
    pairs = torch.stack([user, item])
    train, val, test = (pairs[:, label == i] for i in range(3))
    return Interactions(train, val, test, int(user.max()) + 1, int(item.max()) + 1)


def read_features(path: str, num_items: int) -> Tensor:
    r"""Reads the features of a modality from a ``.npy`` file with one row per
    item, as single-precision floating-point numbers.

    A row of nothing but :obj:`nan` belongs to an item that lacks the modality; at
    least one item needs to have it.
    Pickled content is refused, never loaded.

    Args:
        path (str): The path of the file.
        num_items (int): The number of rows that the file needs to have at
            least. Further rows belong to items without interactions.

    Raises:
        ValueError: If the file is malformed, naming the row and the column.
    """
    with reading(path, "a matrix of finite numbers, saved via 'numpy.save'"):
        # A map is never larger than its file, whatever the header says:
        rows = np.load(path, mmap_mode='r', allow_pickle=False)
        with np.errstate(over='ignore'):
            x = torch.from_numpy(rows.astype(np.float32, casting='same_kind'))
        num_rows, num_columns = x.size()
        if num_columns > 0 and x.isnan().all():
            raise ValueError('got no number but nan, so that no item has the modality')
        bad = ~x.isfinite() & ~x.isnan().all(dim=1, keepdim=True)
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            raise ValueError(f'got {rows[row, column]} in row {row}, column {column}')
        if num_rows < num_items or num_columns == 0:
            raise ValueError(f'got {list(x.size())} numbers for {num_items} items')
    return x


def read_ids(path: str) -> list[str]:
    r"""Reads the ids of users or items, one per line, or from a table of ids and
    their numbers (:obj:`.csv`) as MMRec writes it, whose column of numbers is
    ``userID`` or ``itemID``.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If an id is empty or repeated, naming the line, or if the numbers
            are not those from 0, each once.
    """
    if path.endswith('.csv'):
        return _read_id_mapping(path)
    with (
        reading(path, 'of one id per line in UTF-8, each once'),
        open(path, encoding='utf-8-sig') as file,
    ):
        ids = file.read().removesuffix('\n').split('\n')
        lines = pd.Series(ids)
        wrong = lines.duplicated() | (lines == '')
        if wrong.any():
            line = int(wrong.argmax())
            raise ValueError(f'got {ids[line]!r} in line {line + 1}')
    return ids


def _read_id_mapping(path: str) -> list[str]:
    name, frame = read_frame(path, texts=None)
    numbers = [column for column in COLUMNS[:2] if column in frame]
    others = frame.columns.drop(numbers)
    if len(numbers) != 1 or len(others) != 1:
        raise ValueError(
            f"{name} needs to have a column of ids and one of their numbers, 'userID' "
            f"or 'itemID' (got the columns {list(frame.columns)})"
        )
    with reading(path, 'a table of distinct ids and their numbers from 0'):
        ids = frame.set_index(frame[numbers[0]].astype(np.int64))[others[0]].astype(str)
        ids = ids.sort_index()
        if not np.array_equal(ids.index, range(len(ids))):
            raise ValueError(f'got the numbers {ids.index[:5].tolist()}, ...')
        if ids.duplicated().any() or (ids == '').any():
            raise ValueError(f'got {ids[ids.duplicated() | (ids == "")].iloc[0]!r}')
    return ids.tolist()
