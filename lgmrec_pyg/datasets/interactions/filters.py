import numpy as np
import torch

from lgmrec_pyg.datasets.interactions.k_core import k_core
from lgmrec_pyg.datasets.interactions.table import InteractionTable


def drop_low_ratings(
    table: InteractionTable, min_rating: float | None
) -> InteractionTable:
    r"""Drops interactions whose rating is below a threshold.

    Args:
        table (InteractionTable): The interactions.
        min_rating (float, optional): The least rating to keep, if any.

    Raises:
        ValueError: If no interactions are left.
    """
    if min_rating is None or table.rating is None:
        return table
    out = table.select(table.rating >= min_rating)
    if out.edge_index.size(1) == 0:
        low, high = table.rating.min().item(), table.rating.max().item()
        raise ValueError(
            f"'min_rating' needs to leave interactions (got {min_rating}, which leaves "
            f'none of {table.rating.numel()} with ratings from {low} to {high})'
        )
    return out


def merge_repeated(table: InteractionTable) -> InteractionTable:
    r"""Merges interactions of the same user and item into the earliest of them.

    Args:
        table (InteractionTable): The interactions.
    """
    changes = (table.edge_index.diff(dim=1) != 0).any(dim=0)
    if changes.all():
        return table
    first = torch.cat([changes.new_ones(1), changes]).nonzero().flatten()
    out = table._replace(rating=None).select(first)
    if table.time is None:
        return out
    time = np.minimum.reduceat(table.time.numpy(), first.numpy())
    return out._replace(time=torch.from_numpy(time))


def take_core(table: InteractionTable, k: int) -> InteractionTable:
    r"""Takes the :math:`k`-core of interactions.

    Args:
        table (InteractionTable): The interactions.
        k (int): The number of interactions of every user and every item.

    Raises:
        ValueError: If no interactions are left.
    """
    out = table.select(k_core(table.edge_index, k))
    if out.edge_index.size(1) == 0:
        num_users, num_items = (row.unique().numel() for row in table.edge_index)
        raise ValueError(
            f"'k_core' needs to leave interactions (got {k}, which leaves none of "
            f'{table.edge_index.size(1)} of {num_users} users and {num_items} items)'
        )
    return out
