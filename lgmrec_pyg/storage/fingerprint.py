import hashlib
import json
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import ITEM, USER, describes, edge_index_of, modalities
from lgmrec_pyg.graph import training_pairs as pairs_of

FREQUENCIES = (1.0, 2**0.5, 3**0.5, 5**0.5)
ROWS = 4096


def fingerprint(data: HeteroData) -> dict[str, Any]:
    r"""Returns what identifies a multimodal interaction graph, as plain types.

    Interactions, ids and the items that features describe enter as digests,
    which depend neither on the order of edges nor on whether the graph holds
    :obj:`edge_index` or :obj:`adj_t`, weighted or not. Features enter as a few
    sums over all of their entries, which rounding hardly changes; those before
    and after :class:`~lgmrec_pyg.transforms.StandardizeFeatures` differ, and a
    model trained on the latter is of no use with the former. Withheld pairs do
    not matter.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    pairs = pairs_of(data)
    return {
        'num_users': int(data[USER].num_nodes),
        'num_items': int(data[ITEM].num_nodes),
        'num_pairs': pairs.size(1),
        'pairs': digest_pairs(pairs, int(data[ITEM].num_nodes)),
        'user_ids': _digest_ids(data, USER),
        'item_ids': _digest_ids(data, ITEM),
        'modalities': {name: _modality(data, name) for name in modalities(data)},
    }


def digest_pairs(pairs: Tensor, num_targets: int) -> str:
    r"""Returns the SHA-256 of edges in any order.

    Args:
        pairs (torch.Tensor): Edge indices of shape :math:`(2, |\mathcal{E}|)`.
        num_targets (int): The number of target nodes.
    """
    if isinstance(pairs, EdgeIndex):
        pairs = pairs.as_tensor()
    keys = (pairs[0] * num_targets + pairs[1]).sort().values
    return hashlib.sha256(keys.cpu().numpy().tobytes()).hexdigest()


def _digest_ids(data: HeteroData, node_type: str) -> str | None:
    ids = data[node_type].get('ids')
    if ids is None:
        return None
    return hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()


def _modality(data: HeteroData, name: str) -> dict[str, Any]:
    x = data[name].x
    pairs = edge_index_of(data[describes(name)])
    return {
        'shape': list(x.shape),
        'dtype': str(x.dtype).removeprefix('torch.'),
        'norm': float(torch.linalg.vector_norm(x, dtype=torch.float64)),
        'sums': _weighted_sums(x),
        'describes': digest_pairs(pairs, int(data[ITEM].num_nodes)),
    }


def _weighted_sums(x: Tensor) -> list[float]:
    # Waves without a common period tell all rows and columns apart.
    wave = torch.tensor(FREQUENCIES, dtype=torch.float64)
    row = (torch.arange(1, x.size(0) + 1).view(-1, 1) * wave).cos().to(x.device)
    column = (torch.arange(1, x.size(1) + 1).view(-1, 1) * wave).sin().to(x.device)
    out = x.new_zeros(wave.numel(), dtype=torch.float64)
    for start in range(0, x.size(0), ROWS):
        rows = slice(start, start + ROWS)
        out += (row[rows] * (x[rows].double() @ column)).sum(dim=0)
    return out.tolist()
