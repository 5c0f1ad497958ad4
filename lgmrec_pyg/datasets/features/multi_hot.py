from collections.abc import Sequence

import torch
from torch import Tensor


def multi_hot(labels: Sequence[Sequence[str]]) -> tuple[Tensor, list[str]]:
    r"""Encodes sets of labels, such as genres, with one column per label.

    .. code-block:: python

        multi_hot([['Drama'], ['Crime', 'Drama']])
        # (tensor([[0., 1.], [1., 1.]]), ['Crime', 'Drama'])

    Args:
        labels (List[List[str]]): The labels of each row.

    Returns:
        The features, and the labels of the columns in alphabetical order.

    Raises:
        ValueError: If a row is a single string instead of a list of them.
    """
    for i, row in enumerate(labels):
        if isinstance(row, str):
            raise ValueError(
                f"'labels' needs to hold a list of labels in every row (got {row!r} "
                f'in row {i})'
            )
    names = sorted({name for row in labels for name in row})
    column = {name: i for i, name in enumerate(names)}
    x = torch.zeros(len(labels), len(names))
    for i, row in enumerate(labels):
        x[i, [column[name] for name in row]] = 1.0
    return x, names
