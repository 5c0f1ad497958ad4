from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

Ids: TypeAlias = Sequence[str] | Sequence[int] | np.ndarray | Tensor

INT64 = np.iinfo(np.int64)
KINDS = ('string', 'integer', 'empty')


def as_ids(ids: Any, name: str = 'ids') -> np.ndarray:
    r"""Returns ids as an array, either of data type :obj:`int64` or of
    :class:`str` objects.

    Args:
        ids (Sequence): The ids, which may repeat.
        name (str, optional): What error messages call them.
            (default: :obj:`"ids"`)

    Raises:
        ValueError: If an id is missing, empty, no valid Unicode, or neither a
            string nor an integer, or if strings and integers are mixed.
    """
    import pandas as pd

    values = ids.detach().cpu().numpy() if isinstance(ids, Tensor) else ids
    if isinstance(values, range):
        values = np.arange(values.start, values.stop, values.step, dtype=np.int64)
    if isinstance(values, (pd.Series, pd.Index)):
        is_numpy = isinstance(values.dtype, np.dtype)
        values = values.to_numpy(dtype=None if is_numpy else object)
    is_array = isinstance(values, np.ndarray)
    if values.ndim != 1 if is_array else not isinstance(values, (list, tuple)):
        raise ValueError(
            f"'{name}' needs to be a one-dimensional sequence of ids (got "
            f'{type(ids).__name__} {ids!r:.50})'
        )
    if is_array and values.dtype.kind == 'i':
        return values.astype(np.int64)
    values = pd.Series(values, dtype=object).to_numpy()
    kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind not in KINDS:
        raise _bad_id_error(values, name)
    if kind == 'integer':
        return _as_int64(values, name)
    if (values == '').any():
        place = int((values == '').argmax())
        raise ValueError(
            f"'{name}' needs to hold non-empty ids (got '' in position {place})"
        )
    out = np.frompyfunc(str, 1, 1)(values)
    _check_unicode(out, name)
    return out


def kind_of(value: Any) -> str:
    r"""Returns whether a value is a :obj:`"string"`, an :obj:`"integer"`, or
    something :obj:`"other"`, as ids must not be.

    Args:
        value (Any): The value.
    """
    if isinstance(value, str):
        return 'string'
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return 'integer' if is_int else 'other'


def _check_unicode(values: np.ndarray, name: str) -> None:
    try:
        ''.join(values).encode()
    except UnicodeEncodeError as error:
        wrong = error.object[error.start]
        place = next(i for i, value in enumerate(values) if wrong in value)
        raise ValueError(
            f"'{name}' needs to hold ids of valid Unicode (got {values[place]!r} in "
            f'position {place}, with half of a surrogate pair)'
        ) from None


def _as_int64(values: np.ndarray, name: str) -> np.ndarray:
    wrong = (values < INT64.min) | (values > INT64.max)
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            f"'{name}' needs to hold integers of at most 64 bits (got "
            f'{values[place]} in position {place})'
        )
    return values.astype(np.int64)


def _bad_id_error(values: np.ndarray, name: str) -> ValueError:
    import pandas as pd

    missing = pd.isna(values)
    kinds = np.array([kind_of(value) for value in values])
    wrong = missing | (kinds == 'other')
    first = missing if missing.any() else wrong if wrong.any() else kinds != kinds[0]
    place = int(first.argmax())
    value = values[place]
    if missing[place]:
        return ValueError(
            f"'{name}' needs to hold an id in every position (got {value!r} in "
            f'position {place}, and {missing.sum()} missing in total)'
        )
    if wrong.any():
        hint = '; missing values turn integers into it' * isinstance(value, float)
        return ValueError(
            f"'{name}' needs to hold strings or integers (got {value!r} of type "
            f'{type(value).__name__} in position {place}{hint})'
        )
    return ValueError(
        f"'{name}' needs to hold either strings or integers, not both (got "
        f'{values[0]!r} in position 0 and {value!r} in position {place})'
    )
