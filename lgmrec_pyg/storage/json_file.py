import json
import math
import os
import stat
from typing import Any


def load_json(path: str, max_bytes: int) -> dict[str, Any]:
    r"""Loads a JSON object.

    Args:
        path (str): The path of the file, which needs to be no link.
        max_bytes (int): The number of bytes to read at most.

    Raises:
        ValueError: If the file is larger, damaged, or no object.
    """
    size = size_of(path)
    if size > max_bytes:
        raise ValueError(
            f"'{path}' needs to take up at most {max_bytes} bytes (got {size})"
        )
    try:
        with open(path, encoding='utf-8') as file:
            out = json.load(file, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"'{path}' is damaged: no JSON ({error})") from error
    if not isinstance(out, dict):
        raise ValueError(
            f"'{path}' needs to hold a JSON object (got '{type(out).__name__}')"
        )
    return out


def to_plain(value: Any) -> Any:
    r"""Returns what :obj:`json` has no type for as a number.

    Args:
        value (Any): A number of NumPy, or a tensor with one element.

    Raises:
        TypeError: If it is anything else.
    """
    if getattr(value, 'ndim', None) == 0:
        return value.item()
    raise TypeError(f"got '{type(value).__name__}'")


def size_of(path: str) -> int:
    r"""Returns the number of bytes of a file.

    Args:
        path (str): The path of the file, which needs to be no link.

    Raises:
        ValueError: If it is missing, or no file.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise ValueError(f"'{path}' is missing: copy the whole folder again") from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"'{path}' needs to be a file, not a link or a device")
    return status.st_size


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f'{text:.50} is no finite number')
    return value
