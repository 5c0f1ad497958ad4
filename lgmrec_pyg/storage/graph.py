import json
import os
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import validate_graph
from lgmrec_pyg.storage._reading import reading
from lgmrec_pyg.storage.tensors import read_tensors, save_tensors

FORMAT = {'format': 'lgmrec_pyg.graph', 'version': '1'}
NEEDS = 'an undamaged graph that this version saved'
PLAIN = 'tensors, numbers, strings, and lists and dictionaries of them'
ADVICE = 'save a graph before its edges become an adjacency'


def save_graph(data: HeteroData, path: str | os.PathLike[str]) -> None:
    r"""Saves a multimodal interaction graph in one file in the format of
    :obj:`safetensors`, completely or not at all: sizes, features, ids, edges and
    withheld pairs, and whatever else of tensors and plain values it holds.

    .. code-block:: python

        save_graph(data, 'graph.safetensors')
        data = load_graph('graph.safetensors')

    Args:
        data (HeteroData): The multimodal interaction graph, with its edges as
            :obj:`edge_index`.
        path (str or os.PathLike): The path of the file.

    Raises:
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        ValueError: If the graph holds something else, such as a
            :class:`~torch_sparse.SparseTensor`, or see
            :func:`~lgmrec_pyg.graph.validate_graph`.
    """
    validate_graph(data)
    stores, tensors = [], {}
    for number, (key, values) in enumerate(data.to_dict().items()):
        names = [name for name, x in values.items() if isinstance(x, Tensor)]
        for name in names:
            tensors[f'{number}/{name}'] = _strided(values.pop(name), f'{name} of {key}')
        stores.append([list(key) if isinstance(key, tuple) else key, values])
    save_tensors(tensors, path, {**FORMAT, 'stores': _to_json(stores)})


def load_graph(path: str | os.PathLike[str]) -> HeteroData:
    r"""Loads a graph that :func:`save_graph` saved, to the bit. Nothing in the file
    is executed.

    Args:
        path (str or os.PathLike): The path of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or holds something else.
    """
    tensors, metadata = read_tensors(path)
    with reading(path, NEEDS):
        if {key: metadata.get(key) for key in FORMAT} != FORMAT:
            raise ValueError(f'it is {metadata.get("format")!r:.100}')
        stores = json.loads(metadata['stores'])
        for name, tensor in tensors.items():
            number, attribute = name.split('/', 1)
            stores[int(number)][1][attribute] = tensor
        keys = [key if isinstance(key, str) else tuple(key) for key, _ in stores]
        values = [x for _, x in stores]
        data = HeteroData.from_dict(dict(zip(keys, values, strict=True)))
        validate_graph(data)
        return data


def _strided(tensor: Tensor, name: str) -> Tensor:
    if isinstance(tensor, EdgeIndex):
        return tensor.as_tensor()
    if tensor.layout != torch.strided:
        raise ValueError(f"'{name}' needs to be dense (got {tensor.layout}): {ADVICE}")
    return tensor


def _to_json(stores: list[Any]) -> str:
    try:
        text = json.dumps(stores, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"'data' needs to hold {PLAIN} ({error}): {ADVICE}") from error
    if json.loads(text) != stores:
        raise ValueError(f"'data' needs to hold {PLAIN} (got tuples, or other keys)")
    return text
