from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from lgmrec_pyg.graph.id_map import IdMap
from lgmrec_pyg.graph.schema import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    LABELS,
    USER,
    check_types,
    describes,
    edge_index_of,
    modalities,
    similarities,
)

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
ROWS = 2**16


def validate_graph(data: HeteroData) -> None:
    r"""Checks that a graph follows the schema of a multimodal interaction
    graph.

    It has the node types :obj:`"user"` and :obj:`"item"` and one node type per
    modality, which holds finite features :obj:`x`; the edge type
    :obj:`("user", "interacts", "item")`, whose :obj:`edge_index` (or
    :obj:`adj_t`) holds the training pairs, each once, whose optional
    :obj:`confidence` holds a positive number for each of them, and whose optional
    :obj:`val_edge_label_index` and :obj:`test_edge_label_index` hold pairs
    which are neither training pairs nor repeated; and the edge type
    :obj:`(modality, "describes", "item")` per modality. The edge types
    :obj:`("item", "similar_<modality>", "item")` are optional.
    An item may be described by no, one or several nodes of a modality.
    In a part that a loader of PyG sampled, withheld pairs, which keep the numbers of
    the whole graph, do not matter. Other transforms that renumber nodes, such as
    :meth:`~torch_geometric.data.HeteroData.subgraph`, leave these pairs behind as
    well: apply them before a split.
    Users and items may have unique :obj:`ids`, see
    :func:`~lgmrec_pyg.graph.set_ids`.

    Args:
        data (HeteroData): The multimodal interaction graph.

    Raises:
        ValueError: If the graph does not follow the schema, naming the node or
            edge type, the attribute, and the row or column.
    """
    check_types(data)
    for node_type in (USER, ITEM):
        if 'num_nodes' not in data[node_type] and 'x' not in data[node_type]:
            raise ValueError(
                f"Node type '{node_type}' needs to have 'num_nodes' (got none)"
            )
        if 'ids' in data[node_type]:
            _check_ids(data, node_type)
    for modality in modalities(data):
        _check_features(data, modality)
        edge_type = describes(modality)
        _check_pairs(data, edge_type, 'edge_index', edge_index_of(data[edge_type]))
    for edge_type in similarities(data):
        _check_pairs(data, edge_type, 'edge_index', edge_index_of(data[edge_type]))
    _check_interactions(data)


def _check_features(data: HeteroData, modality: str) -> None:
    if modality in vars(torch.nn.Module()):
        raise ValueError(
            f"A modality cannot be named '{modality}', as an attribute of every "
            f"'torch.nn.Module' is (rename the node type)"
        )
    x = data[modality].get('x')
    is_dense = isinstance(x, Tensor) and x.dim() == 2 and x.layout == torch.strided
    if not is_dense or x.dtype not in DTYPES:
        raise ValueError(
            f"'x' of node type '{modality}' needs to be a dense two-dimensional "
            f'floating-point tensor of at least 16 bits (got {_summary(x)})'
        )
    for start in range(0, len(x), ROWS):  # They may be larger than memory.
        finite = x[start : start + ROWS].isfinite()
        if finite.all():
            continue
        row, column = (~finite).nonzero()[0].tolist()
        row += start
        raise ValueError(
            f"'x' of node type '{modality}' needs to be finite "
            f'(got {x[row, column].item()} in row {row}, column {column})'
        )


def _check_ids(data: HeteroData, node_type: str) -> None:
    ids = IdMap(data[node_type].ids, f'{node_type}.ids')
    if len(ids) != data[node_type].num_nodes:
        raise ValueError(
            f"'{node_type}.ids' needs to hold {data[node_type].num_nodes} ids, one per "
            f'node (got {len(ids)})'
        )


def _check_interactions(data: HeteroData) -> None:
    train = edge_index_of(data[INTERACTS])
    _check_pairs(data, INTERACTS, 'edge_index', train)
    if train.size(1) == 0:
        raise ValueError(
            f"'edge_index' of edge type {INTERACTS} needs to hold at least one "
            f'training pair (got none)'
        )
    confidence = data[INTERACTS].get(CONFIDENCE)
    if confidence is not None:
        _check_confidence(confidence, train.size(1))
    # Those of a sampled part have the numbers of the whole graph.
    names = () if 'n_id' in data[USER] else LABELS
    labels = {name: data[INTERACTS][name] for name in names if name in data[INTERACTS]}
    for name, pairs in labels.items():
        _check_pairs(data, INTERACTS, name, pairs)
    keys = torch.cat([_keys(data, pairs) for pairs in (train, *labels.values())])
    if keys.sort().values.diff().all():
        return  # Below, to say where, takes several times as long.
    seen = {'edge_index': _keys(data, train)}
    _check_unique('edge_index', train, seen['edge_index'])
    for name, pairs in labels.items():
        keys = _keys(data, pairs)
        _check_unique(name, pairs, keys)
        for other, other_keys in seen.items():
            _check_disjoint(name, pairs, torch.isin(keys, other_keys), other)
        seen[name] = keys


def _check_confidence(confidence: Any, size: int) -> None:
    good = isinstance(confidence, Tensor) and confidence.size() == (size,)
    if not good or not bool((confidence.isfinite() & (confidence > 0)).all()):
        raise ValueError(
            f"'{CONFIDENCE}' of edge type {INTERACTS} needs to hold a positive finite "
            f'number for each of {size} training pairs (got {_summary(confidence)})'
        )


def _check_pairs(data: HeteroData, edge_type: EdgeType, name: str, pairs: Any) -> None:
    if (
        not isinstance(pairs, Tensor)
        or pairs.dtype not in (torch.int32, torch.int64)
        or pairs.dim() != 2
        or pairs.size(0) != 2
    ):
        raise ValueError(
            f"'{name}' of edge type {edge_type} needs to be an integer tensor of "
            f'shape [2, *] (got {_summary(pairs)})'
        )
    if name == 'edge_index' and 'adj_t' in data[edge_type]:
        adj_t, nodes = data[edge_type].adj_t, (edge_type[2], edge_type[0])
        size, needed = adj_t.size, [int(data[x].num_nodes) for x in nodes]
        if [size(0), size(1)] != needed:
            raise ValueError(
                f"'adj_t' of edge type {edge_type} needs to be of size {needed} (got "
                f'{[size(0), size(1)]})'
            )
    for row, node_type in zip(pairs, (edge_type[0], edge_type[2]), strict=True):
        num_nodes = data[node_type].num_nodes
        wrong = (row < 0) | (row >= num_nodes)
        if wrong.any():
            column = int(wrong.nonzero()[0])
            raise ValueError(
                f"'{name}' of edge type {edge_type} needs to hold '{node_type}' "
                f'indices from 0 to {num_nodes - 1} (got {int(row[column])} in '
                f'column {column})'
            )


def _check_unique(name: str, pairs: Tensor, keys: Tensor) -> None:
    keys, perm = keys.sort(stable=True)
    repeated = (keys[1:] == keys[:-1]).nonzero().flatten()
    if repeated.numel() > 0:
        first, second = perm[repeated[0] : repeated[0] + 2].tolist()
        raise ValueError(
            f"'{name}' of edge type {INTERACTS} needs to hold each pair once "
            f'(got {tuple(pairs[:, first].tolist())} in columns {first} and '
            f'{second})'
        )


def _check_disjoint(name: str, pairs: Tensor, shared: Tensor, other: str) -> None:
    if shared.any():
        column = int(shared.nonzero()[0])
        raise ValueError(
            f"'{name}' of edge type {INTERACTS} needs to share no pair with "
            f"'{other}' (got {tuple(pairs[:, column].tolist())} in column "
            f'{column}, {int(shared.sum())} shared in total)'
        )


def _keys(data: HeteroData, pairs: Tensor) -> Tensor:
    return pairs[0].long() * int(data[ITEM].num_nodes) + pairs[1]


def _summary(value: Any) -> str:
    if isinstance(value, Tensor):
        layout = '' if value.layout == torch.strided else f', {value.layout}'
        return f'{value.dtype} of shape {list(value.shape)}{layout}'
    return type(value).__name__
