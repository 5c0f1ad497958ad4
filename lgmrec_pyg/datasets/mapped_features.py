r"""Features larger than memory."""

import copy
import os
import os.path as osp
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.feature_tables import FeatureTable
from lgmrec_pyg.datasets.features import match_features
from lgmrec_pyg.graph import ITEM, IdMap, as_ids, describes
from lgmrec_pyg.storage import reading

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
SAFETENSORS = "a file in the format of 'safetensors' with the tensors 'ids' and 'x'"


def map_item_features(data: HeteroData, features: Mapping[str, Any]) -> HeteroData:
    r"""Adds features of items that may be larger than memory to a graph: files are
    mapped into memory, and never read as a whole.

    .. code-block:: python

        save_file({'ids': encode_ids(ids), 'x': x}, 'image.safetensors')
        data = map_item_features(
            data, {'image': 'image.safetensors', 'text': (text_ids, 'text.npy')}
        )

    Other than those of :meth:`~lgmrec_pyg.datasets.add_item_features`, the nodes of a
    modality are the rows of its file, in their order. Rows of unknown items have no
    edge. Training on the whole graph reads a file once a step, and
    :class:`~lgmrec_pyg.sampling.SubgraphSampler` only the rows of a batch.
    Transforms of features would make a copy: standardize them before they are saved.

    Args:
        data (HeteroData): The interaction graph, which is not changed.
        features (Dict[str, Any]): The features of each modality: the path of a file
            in the format of :obj:`safetensors`, with the rows as :obj:`x` and the ids
            of their items as :obj:`ids`, see :func:`~lgmrec_pyg.graph.encode_ids`; or
            a pair of ids and the path of an array that :meth:`numpy.save` wrote.
            An id that repeats gets several nodes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is damaged, if features are no rows in single or half
            precision, one per id, or describe none of the items.
    """
    tables = {name: _map(name, value) for name, value in features.items()}
    items = as_ids(IdMap.of(data, ITEM).ids)
    data, index = copy.copy(data), pd.Index(items)
    for name, (ids, x) in match_features(tables, items).items():
        item = torch.from_numpy(index.get_indexer(ids).astype(np.int64))
        node = (item >= 0).nonzero().flatten()
        data[name].x = x
        data[describes(name)].edge_index = torch.stack([node, item[node]])
    return data


def _map(modality: str, value: Any) -> FeatureTable:
    name = f"'features' of '{modality}'"
    if isinstance(value, (str, os.PathLike)):
        ids, x = _map_safetensors(osp.expanduser(os.fspath(value)))
    elif isinstance(value, tuple) and len(value) == 2:
        ids, x = value[0], _map_array(osp.expanduser(os.fspath(value[1])))
    else:
        raise ValueError(
            f'{name} need to be the path of a file, or a pair of ids and such a path '
            f'(got {type(value).__name__})'
        )
    known = as_ids(ids, f'features[{modality!r}]')
    if x.dim() != 2 or x.dtype not in DTYPES or len(x) != len(known):
        raise ValueError(
            f'{name} need to be rows in single or half precision, one per id, of shape '
            f'[{len(known)}, *] (got {x.dtype} of shape {list(x.shape)})'
        )
    return FeatureTable(known, x)


def _map_safetensors(path: str) -> tuple[Tensor, Tensor]:
    from safetensors import safe_open

    open(path, 'rb').close()  # Its error has the type that one expects.
    with reading(path, SAFETENSORS), safe_open(path, framework='pt') as file:
        return file.get_tensor('ids'), file.get_tensor('x')


def _map_array(path: str) -> Tensor:
    with reading(path, "an array, saved via 'numpy.save'"):
        # Of a read-only map, PyTorch would warn.
        return torch.from_numpy(np.load(path, mmap_mode='c', allow_pickle=False))
