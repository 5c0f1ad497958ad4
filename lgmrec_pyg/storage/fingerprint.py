import hashlib
import json
from typing import Any

from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import ITEM, USER, describes, edge_index_of, modalities
from lgmrec_pyg.graph import training_pairs as pairs_of
from lgmrec_pyg.graph import as_ids
from lgmrec_pyg.storage.summary import summarize


def fingerprint(data: HeteroData) -> dict[str, Any]:
    r"""Returns what identifies a multimodal interaction graph, as plain types.

    Interactions, ids and the items that features describe enter as digests,
    which depend neither on the order of edges nor on whether the graph holds
    :obj:`edge_index` or :obj:`adj_t`, weighted or not. Features enter as a few
    sums over all of their entries, each column at its own scale, which rounding
    hardly changes; those before and after
    :class:`~lgmrec_pyg.transforms.StandardizeFeatures` differ, and a model trained
    on the latter is of no use with the former. Withheld pairs do not matter.

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
    values = as_ids(ids, f"data['{node_type}'].ids").tolist()
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _modality(data: HeteroData, name: str) -> dict[str, Any]:
    pairs = edge_index_of(data[describes(name)])
    return {
        **summarize(data[name].x),
        'describes': digest_pairs(pairs, int(data[ITEM].num_nodes)),
    }
