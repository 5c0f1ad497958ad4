from numbers import Integral
from typing import Any


def positive_integer(name: str, value: Any) -> int:
    r"""Returns an argument that counts something.

    Args:
        name (str): The name of the argument.
        value (Any): What came.

    Raises:
        ValueError: If it is no integer, or not positive.
    """
    if not is_positive_integer(value):
        raise ValueError(f"'{name}' needs to be a positive integer (got {value!r})")
    return int(value)


def is_positive_integer(value: Any) -> bool:
    r"""Returns whether something is an integer, of Python or NumPy, above 0."""
    is_int = isinstance(value, Integral) and not isinstance(value, bool)
    return is_int and value > 0
