r"""Times of interactions."""

from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

# Beside ISO 8601, these can be read in one way only:
FORMATS = (
    'ISO8601',
    '%m %d, %Y',  # Of Amazon's reviews.
    '%b %d, %Y',
    '%d %b %Y',
    '%d-%b-%Y',
    '%a, %d %b %Y %H:%M:%S',
    '%a, %d %b %Y %H:%M:%S %z',
    '%a %b %d %H:%M:%S %z %Y',
)
UNITS = (1, 10**3, 10**6, 10**9)  # From nanoseconds to seconds.
LEAST, MOST = 3 * 10**17, 42 * 10**17  # From 1979 to 2103, in nanoseconds.


def to_dates(column: pd.Series, date_format: str | None = None) -> pd.Series | None:
    r"""Returns a column of dates or periods as such, without a date where there is
    none to be read, or :obj:`None` if it holds numbers.
    """
    # Inferring the type of numbers would round integers next to fractions:
    inferred = column.infer_objects()
    times = inferred if inferred.dtype.kind in 'mM' else column
    if times.dtype.kind == 'm':
        return times
    if times.dtype.kind == 'M':
        return _parse(times, None)
    if date_format is not None:
        return _parse(times.astype(str), date_format)
    if pd.to_numeric(times, errors='coerce').notna().any():
        return None
    dates = _parse(times, 'ISO8601')
    if dates.notna().all():
        return dates
    texts = times.astype(str).str.replace(r'\s*(UTC|GMT)\s*$', '', regex=True)
    others = (_parse(texts, date_format) for date_format in FORMATS)
    return max([dates, *others], key=lambda dates: dates.notna().sum())


def to_moment(value: Any, time: Tensor) -> float:
    r"""Returns a date in the unit of the times of a table, or a number as it is."""
    if isinstance(value, (int, float, np.number)):
        return value  # type: ignore[return-value]
    date = pd.to_datetime(value, format='ISO8601', utc=True).as_unit('ns').value
    middle = float(time.double().median())
    units = [unit for unit in UNITS if LEAST < middle * unit < MOST]
    if not units:
        raise ValueError(
            f"'split_at' needs to hold numbers like the timestamps, whose unit is "
            f'unknown (got {value!r} for timestamps such as {middle})'
        )
    is_float = time.is_floating_point()
    return date / units[0] if is_float else -(-date // units[0])


def _parse(times: pd.Series, date_format: str | None) -> pd.Series:
    return pd.to_datetime(times, format=date_format, errors='coerce', utc=True)
