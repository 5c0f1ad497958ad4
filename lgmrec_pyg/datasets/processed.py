r"""What PyG keeps of a processed dataset, read without trust in it."""

from typing import Any

from torch_geometric.data import HeteroData

from lgmrec_pyg.storage import load_plain

DAMAGE = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def load_note(path: str) -> Any:
    r"""Loads what PyG notes about the processing of a dataset, of which nothing
    is executed.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is damaged, or holds objects that could run code.
    """
    try:
        return load_plain(path)
    except ValueError as error:
        raise ValueError(f'{error}. Delete it, and it is made anew') from error


def load_graph(path: str) -> tuple[HeteroData, Any]:
    r"""Loads a processed graph and its slices, of which nothing is executed.
    :meth:`torch_geometric.data.InMemoryDataset.load` would fall back to loading
    anything.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: See :func:`load_note`.
    """
    parts = load_note(path)
    try:
        content, slices, _ = parts
        return HeteroData.from_dict(content), slices
    except DAMAGE as error:
        raise ValueError(
            f"'{path}' needs to hold a graph. Delete it, and it is made anew"
        ) from error
