from typing import Any

from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType


def pop_labels(data: HeteroData) -> dict[tuple[EdgeType, str], Any]:
    r"""Takes label pairs out of a graph: PyG takes any tensor with as many entries as
    there are edges for an edge attribute, and would copy, permute or filter it.
    """
    return {
        (edge_type, key): data[edge_type].pop(key)
        for edge_type in data.edge_types
        for key in list(data[edge_type].keys())
        if 'edge_label' in key
    }


def restore_labels(data: HeteroData, labels: dict[tuple[EdgeType, str], Any]) -> None:
    r"""Puts back what :func:`pop_labels` took."""
    for (edge_type, key), value in labels.items():
        data[edge_type][key] = value
