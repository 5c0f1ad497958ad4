import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lgmrec_pyg.datasets.interactions.source import PARQUET
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.storage.atomic import atomic_write

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 2**18


def write_rankings(
    path: str | os.PathLike[str],
    rank: Callable[[Tensor], tuple[Tensor, Tensor]],
    users: IdMap,
    items: IdMap,
    k: int,
) -> None:
    r"""Ranks items for all users, and writes them into a Parquet file, a group of
    rows at a time.

    Args:
        path (str or os.PathLike): The path of the file, with the ending of one.
        rank (Callable): Maps indices of users to scores and indices of items of
            shape :math:`(N, k)`, filled with :obj:`-1` at the end of a row.
        users (IdMap): The ids of the users.
        items (IdMap): The ids of the items.
        k (int): The number of items of a user.

    Raises:
        ImportError: If :obj:`pyarrow` is not installed.
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        ValueError: If the file ends otherwise.
    """
    path = os.fspath(path)
    if not path.lower().endswith(PARQUET):
        raise ValueError(
            f"'path' needs to end in one of {list(PARQUET)} (got '{path}'). For other "
            f"formats, write 'Recommendations.to_frame()'"
        )
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files need 'pyarrow': pip install pyarrow"
        ) from error
    user_ids, item_ids = pa.array(users.ids), pa.array(items.ids)
    schema = pa.schema(
        [
            ('user', user_ids.type),
            ('item', item_ids.type),
            ('score', pa.float32()),
            ('rank', pa.int64()),
        ]
    )
    with (
        atomic_write(path) as partial,
        parquet.ParquetWriter(partial, schema) as writer,
    ):
        for rows in torch.arange(len(users)).split(max(1, ROWS // max(k, 1))):
            columns = _columns(rows, *rank(rows), user_ids, item_ids)
            writer.write_table(pa.table(columns, schema))


def _columns(
    rows: Tensor, score: Tensor, index: Tensor, users: 'pa.Array', items: 'pa.Array'
) -> list[Any]:
    score, index = score.cpu(), index.cpu()
    place, rank = (index >= 0).nonzero(as_tuple=True)
    return [
        users.take(_arrow(rows[place])),
        items.take(_arrow(index[place, rank])),
        _arrow(score[place, rank].float()),
        _arrow(rank + 1),
    ]


def _arrow(values: Tensor) -> 'pa.Array':
    import pyarrow as pa

    return pa.array(values.numpy())
