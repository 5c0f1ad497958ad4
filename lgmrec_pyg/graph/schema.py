r"""The names of the multimodal interaction graph, and what to read from it."""

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.storage import EdgeStorage
from torch_geometric.typing import EdgeType, SparseTensor

#: The node type of users.
USER = 'user'
#: The node type of items.
ITEM = 'item'
#: The edge type of interactions, which holds the training graph and withheld pairs.
INTERACTS: EdgeType = (USER, 'interacts', ITEM)
#: Its reverse, as :class:`~torch_geometric.transforms.ToUndirected` names it.
REV_INTERACTS: EdgeType = (ITEM, 'rev_interacts', USER)
SIMILAR = 'similar_'
#: The attribute of interactions that holds how much each counts in propagation.
CONFIDENCE = 'confidence'
#: The attributes of interactions that hold withheld pairs: validation, then test.
LABELS = ('val_edge_label_index', 'test_edge_label_index')


def describes(modality: str) -> EdgeType:
    r"""Returns the edge type that links the nodes of a modality to the items
    they describe.

    Args:
        modality (str): The name of the modality, *e.g.*, :obj:`"image"`.
    """
    return (modality, 'describes', ITEM)


def similar(modality: str) -> EdgeType:
    r"""Returns the edge type that links items to those that are similar by a
    modality, or by any of them if that is :obj:`"item"`.

    Args:
        modality (str): The name of the modality, *e.g.*, :obj:`"image"`.
    """
    return (ITEM, f'{SIMILAR}{modality}', ITEM)


def similarities(data: HeteroData) -> list[EdgeType]:
    r"""Returns the edge types of a graph that link similar items.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    return [edge_type for edge_type in data.edge_types if is_similar(edge_type)]


def is_similar(edge_type: EdgeType) -> bool:
    r"""Whether an edge type links similar items."""
    return edge_type == similar(edge_type[1].removeprefix(SIMILAR))


def reverse(edge_type: EdgeType) -> EdgeType:
    r"""Returns the reverse of an edge type as
    :class:`~torch_geometric.transforms.ToUndirected` names it.

    Args:
        edge_type (Tuple[str, str, str]): The edge type.
    """
    src, relation, dst = edge_type
    return (dst, f'rev_{relation}', src)


def modalities(data: HeteroData) -> list[str]:
    r"""Returns the modalities of a graph: its node types other than
    :obj:`"user"` and :obj:`"item"`, in the order in which they were added.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    return [name for name in data.node_types if name not in (USER, ITEM)]


def edge_index_of(store: EdgeStorage) -> Tensor:
    r"""Returns the edges of one type as a tensor of shape
    :math:`(2, |\mathcal{E}|)`, whether stored as :obj:`edge_index` or
    :obj:`adj_t`.

    Args:
        store (EdgeStorage): The edges, *e.g.*, :obj:`data[edge_type]`.
    """
    if 'edge_index' in store or isinstance(store.adj_t, SparseTensor):
        return store.edge_index
    row, col = store.adj_t.to_sparse_coo().coalesce().indices()
    return torch.stack([col, row], dim=0)


def training_pairs(data: HeteroData) -> Tensor:
    r"""Returns the training pairs :math:`(u, i)` as a tensor of shape
    :math:`(2, |\mathcal{E}|)`, whether the graph holds them as
    :obj:`edge_index` or as :obj:`adj_t`.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    check_types(data)
    return edge_index_of(data[INTERACTS]).long()


def check_types(data: HeteroData) -> None:
    r"""Raises an error if a node or edge type of the schema is missing."""
    for node_type in (USER, ITEM):
        if node_type not in data.node_types:
            raise ValueError(
                f"The graph needs to have a node type '{node_type}' "
                f'(got {data.node_types})'
            )
    edge_types = [*map(describes, modalities(data)), *similarities(data)]
    for edge_type in [INTERACTS, *edge_types]:
        if edge_type not in data.edge_types:
            raise ValueError(
                f'The graph needs to have an edge type {edge_type} '
                f'(got {data.edge_types})'
            )
        if not {'edge_index', 'adj_t'} & set(data[edge_type].keys()):
            raise ValueError(
                f"Edge type {edge_type} needs to have 'edge_index' or 'adj_t' "
                f'(got {list(data[edge_type].keys())})'
            )
