import os
import os.path as osp
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from lgmrec_pyg.datasets.ogb.package import allow_ogb_files
from lgmrec_pyg.graph import INTERACTS, ITEM, LABELS, USER
from lgmrec_pyg.storage import load_plain

SPLITS = dict(zip(('train', 'valid', 'test'), ('edge_index', *LABELS), strict=True))
# As in ogbl-biokg and in ogbl-citation2:
ENDS = {'head': 'tail', 'source_node': 'target_node'}


def to_split(data: HeteroData) -> dict[str, dict[str, Any]]:
    out = {}
    for split, key in SPLITS.items():
        users, items = data[INTERACTS].get(key, torch.empty(2, 0).long()).cpu().numpy()
        out[split] = {
            'head_type': [USER] * len(users),
            'head': users,
            'relation': np.zeros_like(users),
            'tail_type': [ITEM] * len(items),
            'tail': items,
        }
    return out


def read_pairs(
    folder: str, edge_type: EdgeType, relation: int | None
) -> dict[str, Tensor]:
    r"""Reads the pairs of an edge type, given by the number of its relation if
    other edge types link the same node types.
    """
    names = os.listdir(folder)
    if len(names) != 1:
        raise ValueError(f"'{folder}' needs to hold a single split (got {names})")
    path = osp.join(folder, names[0], 'split_dict.pt')
    if osp.isfile(path):
        paths, parts = dict.fromkeys(SPLITS, path), _load(path)
    else:
        paths = {split: osp.join(folder, names[0], f'{split}.pt') for split in SPLITS}
        parts = {split: _load(path) for split, path in paths.items()}
    out = {}
    for split, path in paths.items():
        try:
            out[split] = _to_pairs(parts[split], edge_type, relation)
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"'{path}' needs to hold the pairs of '{split}' as 'head' and 'tail', "
                f"as 'source_node' and 'target_node', or as 'edge' ({error!r})"
            ) from error
    return out


def _load(path: str) -> dict[str, Any]:
    with allow_ogb_files():
        out = load_plain(path)
    if not isinstance(out, dict):
        raise ValueError(f"'{path}' needs to hold a dictionary (got {type(out)})")
    return out


def _to_pairs(
    part: dict[str, Any], edge_type: EdgeType, relation: int | None
) -> Tensor:
    if 'edge' in part:
        return torch.as_tensor(part['edge']).t().contiguous()
    (key,) = ENDS.keys() & part.keys()
    pairs = torch.stack([torch.as_tensor(part[name]) for name in (key, ENDS[key])])
    mask = torch.ones(pairs.size(1), dtype=torch.bool)
    if 'head_type' in part:
        ends = zip(part['head_type'], part['tail_type'], strict=True)
        mask &= torch.tensor([pair == edge_type[::2] for pair in ends]).bool()
    if relation is not None:
        mask &= torch.as_tensor(part['relation']) == relation
    return pairs[:, mask]
