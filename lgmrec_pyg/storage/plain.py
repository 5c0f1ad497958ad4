import pickle
from typing import Any

import torch

DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


def load_plain(path: str) -> Any:
    r"""Loads what :meth:`torch.save` wrote, of which nothing is executed.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is damaged, or holds objects that could run code.
    """
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except DAMAGE as error:
        raise ValueError(
            f"'{path}' needs to hold tensors in plain containers: anything else, such "
            f'as objects that could run code, is not loaded'
        ) from error
