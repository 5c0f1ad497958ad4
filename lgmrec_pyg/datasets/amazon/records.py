import ast
import json
import warnings
from typing import Any

from lgmrec_pyg.datasets.json_values import to_id


def parse_record(text: str) -> dict[str, Any]:
    r"""Parses a record: a JSON object or, as in files that were written by
    Python 2, a dictionary literal, of which nothing is ever executed.

    Args:
        text (str): The text of the record.

    Raises:
        ValueError: If it is something else.
    """
    for parse in (json.loads, _parse_literal):
        try:
            record = parse(text)
        # Nested too deeply, a text exhausts the stack or what the parser has:
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(record, dict):
            return record
    raise ValueError('no dictionary literal either')


def to_word(value: Any) -> str:
    r"""Returns an id without spaces.

    Args:
        value (Any): The value.

    Raises:
        ValueError: If it is something else, naming what is needed.
    """
    word = to_id(value)
    if word.split() != [word]:
        raise ValueError('an id without spaces')
    return word


def _parse_literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Of backslashes that escape nothing.
        return ast.literal_eval(text)
