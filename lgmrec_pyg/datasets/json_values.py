r"""What a value of a JSON object has to be."""

import math
import re
from datetime import datetime, timezone
from typing import Any

HALF_PAIR = re.compile('[\ud800-\udfff]')
MAX_WHOLE = 2**53


def to_id(value: Any) -> str:
    r"""Returns an id, which is a string.

    Args:
        value (Any): The value.

    Raises:
        ValueError: If it is something else, empty, or no valid Unicode, naming
            what is needed.
    """
    if not isinstance(value, str) or value == '' or HALF_PAIR.search(value):
        raise ValueError('an id of valid Unicode')
    return value


def to_text(value: Any) -> str:
    r"""Returns a text, or an empty one for :obj:`None`.

    Args:
        value (Any): The value.

    Raises:
        ValueError: If it is something else, naming what is needed.
    """
    if value is not None and not isinstance(value, str):
        raise ValueError('a text or nothing')
    return value or ''


def to_labels(value: Any) -> list[str]:
    r"""Returns the labels in a list of texts, or in a text separated by commas.

    Args:
        value (Any): The value, which may be :obj:`None`.

    Raises:
        ValueError: If it is something else, naming what is needed.
    """
    parts = value if isinstance(value, list) else to_text(value).split(',')
    return [label for label in map(str.strip, map(to_text, parts)) if label]


def to_number(value: Any) -> float:
    r"""Returns a finite number in double precision.

    Args:
        value (Any): The value.

    Raises:
        ValueError: If it is something else, naming what is needed.
    """
    try:
        # A boolean is an integer to Python:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise ValueError('a finite number')


def to_whole(value: Any) -> int:
    r"""Returns a whole number of at most 53 bits.

    Args:
        value (Any): The value.

    Raises:
        ValueError: If it is something else, naming what is needed.
    """
    # In double precision, the next integer would be the limit itself:
    if not to_number(value).is_integer() or abs(value) > MAX_WHOLE:
        raise ValueError(f'a whole number of at most {MAX_WHOLE:,}')
    return int(value)


def to_seconds(value: Any) -> int:
    r"""Returns the seconds from the year 1970 to a date, which is one of
    Greenwich unless it says otherwise.

    Args:
        value (Any): The value.

    Raises:
        ValueError: If it is something else, naming what is needed.
    """
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError('a date such as 2018-07-07 22:09:11') from error
    return int(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp())
