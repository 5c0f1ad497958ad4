from collections.abc import Collection, Sequence, Set
from typing import Any

import numpy as np
from torch import Tensor

from lgmrec_pyg.graph import IdMap, as_ids, kind_of

UNKNOWN = ('error', 'skip')


def id_map(name: str, ids: IdMap | Sequence[Any] | None, size: int) -> IdMap:
    r"""Returns the ids of embeddings.

    Args:
        name (str): The name of the argument.
        ids (Sequence, optional): The ids. If :obj:`None`, will use indices.
        size (int): The number of embeddings.

    Raises:
        ValueError: If there is another number of ids, or if they repeat.
    """
    ids = range(size) if ids is None else ids
    ids = ids if isinstance(ids, IdMap) else IdMap(ids)
    if len(ids) != size:
        raise ValueError(
            f"'{name}' needs to hold {size} ids, one per embedding (got {len(ids)})"
        )
    return ids


def extend(known: IdMap, ids: Sequence[Any], name: str, size: int) -> IdMap:
    r"""Returns known ids followed by new ones.

    Args:
        known (IdMap): The known ids.
        ids (Sequence): The new ids.
        name (str): The argument that comes with the new ids.
        size (int): Its length.

    Raises:
        ValueError: If the lengths differ, or an id is known already, repeats, or
            is of another type.
    """
    new = IdMap(ids).ids
    if len(new) != size:
        raise ValueError(
            f"'{name}' needs to be as long as 'ids' (got {size} for {len(new)} ids)"
        )
    _check_type(new, known, 'ids')
    repeated = [x for x in new if x in known]
    if repeated:
        raise ValueError(
            f"'ids' needs to hold new ids (got {len(repeated)} known ones such as "
            f'{repeated[0]!r})'
        )
    return IdMap(known.ids + new)


def of_known_type(ids: np.ndarray, known: IdMap, name: str) -> np.ndarray:
    r"""Returns the ids of features, where integers have become strings if the
    known ids are, as :meth:`~lgmrec_pyg.datasets.add_item_features` has it.

    Args:
        ids (numpy.ndarray): The ids, see :func:`~lgmrec_pyg.ids.as_ids`.
        known (IdMap): The known ids.
        name (str): What error messages call them.

    Raises:
        ValueError: If the ids are strings, and the known ones integers.
    """
    if ids.dtype.kind == 'i' and isinstance(known.decode([0])[0], str):
        return ids.astype(str).astype(object)
    _check_type(ids.tolist(), known, name)
    return ids


def encode(ids: IdMap, values: Any, name: str, unknown: str = 'error') -> Tensor:
    r"""Returns the index of each id, in errors under the name of an argument.

    Args:
        ids (IdMap): The known ids.
        values (Sequence): The ids to look up.
        name (str): The name of the argument.
        unknown (str, optional): Whether unknown ids raise an :obj:`"error"`, or
            have no index (:obj:`"skip"`). (default: :obj:`"error"`)

    Raises:
        ValueError: If ids are unknown, of another type, or no ids.
    """
    if unknown not in UNKNOWN:
        raise ValueError(f"'unknown' needs to be one of {UNKNOWN} (got {unknown!r})")
    if unknown == 'skip':
        values = as_ids(values, name).tolist()
        _check_type(values, ids, name)
        values = [value for value in values if value in ids]
    try:
        return ids.encode(values)
    except ValueError as error:
        raise ValueError(str(error).replace("'ids'", f"'{name}'", 1)) from error


def encode_histories(items: IdMap, histories: Any, name: str) -> list[Tensor]:
    r"""Returns the indices of the items of every history, each of them once.

    Args:
        items (IdMap): The ids of the items.
        histories (Sequence): The ids of the items of every history.
        name (str): The name of the argument.

    Raises:
        ValueError: If ids are unknown, or no ids, or if histories have no order.
    """
    if not is_collection(histories) or isinstance(histories, Set):
        raise ValueError(
            f"'{name}' needs to be a sequence of sequences of item ids (got "
            f'{type(histories).__name__} {histories!r:.50})'
        )
    return [encode(items, as_list(ids), name).unique() for ids in histories]


def is_collection(value: Any) -> bool:
    r"""Returns whether something may hold ids, instead of being one."""
    if not isinstance(value, Collection) or isinstance(value, (str, bytes)):
        return False
    return getattr(value, 'ndim', 1) > 0


def as_list(ids: Any) -> Any:
    r"""Returns ids whose order does not matter as a sequence."""
    return list(ids) if isinstance(ids, Set) else ids


def _check_type(values: Sequence[Any], known: IdMap, name: str) -> None:
    first = known.decode([0])[0]
    if len(values) > 0 and kind_of(values[0]) != kind_of(first):
        raise ValueError(
            f"'{name}' needs to hold {kind_of(first)}s such as {first!r} (got "
            f'{kind_of(values[0])}s such as {values[0]!r})'
        )
