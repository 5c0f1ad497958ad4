from collections.abc import Collection, Iterator, Sequence, Set
from itertools import islice
from typing import Any, NamedTuple

from torch import Tensor

from lgmrec_pyg.graph import IdMap, as_ids

UNKNOWN = ('error', 'skip', 'popular')


class Query(NamedTuple):
    r"""What something is ranked for.

    Args:
        ids (list): The ids of the users or items, or the numbers of histories.
        rows (torch.Tensor): Their indices, and :obj:`-1` for unknown ones. There
            is none for a single one that is left out.
        is_one (bool): Whether a single one was asked for, instead of several.
    """

    ids: list[Any]
    rows: Tensor
    is_one: bool = False


def look_up(known: IdMap, ids: Any, name: str, unknown: str = 'error') -> Query:
    r"""Looks up an id, or several. Unknown ones raise an error under the name of an
    argument, are left out (:obj:`"skip"`), or have the index :obj:`-1`.
    """
    if unknown not in UNKNOWN:
        raise ValueError(f"'unknown' needs to be one of {UNKNOWN} (got {unknown!r})")
    ids = list(ids) if isinstance(ids, (Set, Iterator)) else ids
    is_one = not _holds_ids(ids)
    ids = ids.item() if is_one and hasattr(ids, 'item') else ids
    values = as_ids([ids] if is_one else ids, name)
    find = known.encode if unknown == 'error' else known.find
    rows = find(values, name)
    if unknown == 'skip':
        values = values if is_one else values[(rows >= 0).numpy()]
        rows = rows[rows >= 0]
    return Query(values.tolist(), rows, is_one)


def look_up_histories(
    known: IdMap, histories: Any, name: str, unknown: str = 'error'
) -> list[Tensor]:
    r"""Returns the indices of the items of every history, each of them once."""
    if not _holds_ids(histories) or isinstance(histories, Set):
        raise ValueError(
            f"'{name}' needs to be a sequence of sequences of item ids (got "
            f'{type(histories).__name__} {histories!r:.50})'
        )
    queries = [look_up(known, ids, name, unknown) for ids in histories]
    return [query.rows[query.rows >= 0].unique() for query in queries]


def are_several(histories: Any) -> bool:
    r"""Returns whether histories came, instead of the ids of one."""
    return _holds_ids(histories) and any(map(_holds_ids, islice(histories, 1)))


def id_map(name: str, ids: IdMap | Sequence[Any] | None, size: int) -> IdMap:
    r"""Returns the ids of embeddings, which are indices if there are none."""
    ids = range(size) if ids is None else ids
    ids = ids if isinstance(ids, IdMap) else IdMap(ids, name)
    if len(ids) != size:
        raise ValueError(
            f"'{name}' needs to hold {size} ids, one per embedding (got {len(ids)})"
        )
    return ids


def _holds_ids(value: Any) -> bool:
    if not isinstance(value, Collection) or isinstance(value, (str, bytes)):
        return False
    return getattr(value, 'ndim', 1) > 0
