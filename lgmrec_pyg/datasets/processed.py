r"""What PyG keeps of a processed dataset, read without trust in it."""

import pickle
from typing import Any

import torch
from torch_geometric.data import HeteroData

DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


def load_note(path: str) -> Any:
    r"""Loads what PyG notes about the processing of a dataset, of which nothing
    is executed.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is damaged, or holds objects that could run code.
    """
    try:
        return torch.load(path, weights_only=True)
    except DAMAGE as error:
        raise _refusal(path) from error


def load_graph(path: str) -> tuple[HeteroData, Any]:
    r"""Loads a processed graph and its slices, of which nothing is executed.
    :meth:`torch_geometric.data.InMemoryDataset.load` would fall back to loading
    anything.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: See :func:`load_note`.
    """
    try:
        content, slices, _ = load_note(path)
        return HeteroData.from_dict(content), slices
    except DAMAGE as error:
        raise _refusal(path) from error


def _refusal(path: str) -> ValueError:
    return ValueError(
        f"'{path}' needs to hold tensors in plain containers: anything else, such as "
        f'objects that could run code, is not loaded. Delete it, and it is made anew'
    )
