r"""Reads ratings and timestamps: exactly, as far as their order goes."""

from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from lgmrec_pyg.datasets.interactions.source import TableSource

if TYPE_CHECKING:
    import pandas as pd

MAX_INT64 = np.iinfo(np.int64).max
BELOW_NANOSECONDS = r'[.,]\d{9}\d*[1-9]'


def read_ratings(source: TableSource, column: str) -> np.ndarray:
    r"""Reads a column of finite numbers.

    Args:
        source (TableSource): The table.
        column (str): The name of the column.

    Raises:
        ValueError: If a value is something else.
    """
    values = _to_numbers(_column(source, column))
    _refuse(source, column, ~np.isfinite(values), 'finite numbers')
    return values


def read_timestamps(source: TableSource, column: str) -> np.ndarray:
    r"""Reads a column of numbers or of dates as numbers in the same order:
    different timestamps stay different, to the nanosecond.

    Args:
        source (TableSource): The table.
        column (str): The name of the column.

    Raises:
        ValueError: If a value is something else, or too fine to be kept.
    """
    import pandas as pd

    values = _column(source, column)
    if values.dtype.kind not in 'mM':
        numbers = _to_numbers(values)
        is_number = np.isfinite(numbers)
        if is_number.any():
            needed = 'finite numbers, or dates throughout'
            _refuse(source, column, ~is_number, needed)
            needed = 'numbers that differ in double precision if they differ at all'
            _refuse(source, column, _is_merged(values, numbers), needed)
            return numbers
        text = values.astype(str).str
        finer = text.contains(BELOW_NANOSECONDS).to_numpy(dtype=bool)
        _refuse(source, column, finer, 'dates that are no finer than nanoseconds')
        # Pandas would read the clock for 'now' and 'today':
        values = values.where(text.match('[0-9]').to_numpy(dtype=bool))
    if values.dtype.kind != 'm':
        values = pd.to_datetime(values, format='ISO8601', errors='coerce', utc=True)
    needed = 'numbers or dates such as 2024-01-31 or 2024-01-31 23:59:59'
    _refuse(source, column, values.isna().to_numpy(), needed)
    return values.astype('int64').to_numpy(dtype=np.int64, copy=True)


def _column(source: TableSource, column: str) -> 'pd.Series':
    values = source.frame[column]
    inferred = values.infer_objects()  # Which rounds integers next to fractions.
    return inferred if inferred.dtype.kind in 'mM' else values


def _to_numbers(values: 'pd.Series') -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(values, errors='coerce')
    if values.dtype.kind in 'mM' or numbers.dtype.kind == 'c':
        return np.full(len(values), np.nan)
    missing = (values.isna() | numbers.isna()).to_numpy()
    is_integer = pd.api.types.is_integer_dtype(numbers.dtype)
    if is_integer and not missing.any() and numbers.max() <= MAX_INT64:
        return numbers.to_numpy(dtype=np.int64, copy=True)
    out = numbers.to_numpy(dtype=np.float64, copy=True, na_value=np.nan)
    out[missing] = np.nan
    return out


def _is_merged(values: 'pd.Series', numbers: np.ndarray) -> np.ndarray:
    r"""Marks different values that became the same number."""
    import pandas as pd

    if numbers.dtype == np.int64 or values.dtype.kind == 'f':
        return np.zeros(len(values), dtype=bool)
    table = pd.DataFrame({'value': values, 'number': numbers}).drop_duplicates()
    table = table[table['number'].duplicated(keep=False)]
    exact = table['value'].astype(object).map(_exact)
    # The same number may be written in several ways.
    merged = exact.groupby(table['number']).nunique() > 1
    return np.isin(numbers, merged.index[merged])


def _exact(value: Any) -> Decimal:
    if isinstance(value, Integral):
        return Decimal(int(value))
    return Decimal(value if isinstance(value, (str, Decimal)) else float(value))


def _refuse(source: TableSource, column: str, wrong: np.ndarray, needed: str) -> None:
    if wrong.any():
        value = source.frame[column][wrong].tolist()[0]
        raise ValueError(
            f"{source.name} needs to hold {needed} in column '{column}' (got "
            f'{value!r} in {source.place(wrong)}, and {wrong.sum()} such values in '
            f'total)'
        )
