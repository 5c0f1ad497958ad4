import torch

from lgmrec_pyg.graph import BipartiteGraph, ModalityGraph
from lgmrec_pyg.nn import ModalityEncoder

# Item 0 has two nodes, item 1 one, item 2 none; user 2 has no items.
DESCRIBES = torch.tensor([[0, 1, 2], [0, 0, 1]])
INTERACTS = torch.tensor([[0, 0, 0, 1], [0, 1, 2, 2]])
GRAPH = BipartiteGraph.from_adj(INTERACTS, num_users=3, num_items=3)
MODALITY = ModalityGraph.from_adj(DESCRIBES, GRAPH, num_nodes=3)
X = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 7.0]])


def encoder(user_logits: str = 'sum') -> ModalityEncoder:
    out = ModalityEncoder(2, 1, 1, user_logits)
    with torch.no_grad():
        out.projection.weight.copy_(torch.tensor([[1.0], [0.0]]))
        out.projection.hyperedge.copy_(torch.tensor([[0.0], [1.0]]))
    return out


def test_hand_computed() -> None:
    content = encoder()(X, MODALITY, GRAPH)
    assert content.item.tolist() == [[2.0], [5.0], [0.0]]
    assert content.item_logits.tolist() == [[1.0], [7.0], [0.0]]
    assert content.user.tolist() == [[3.5], [0.0], [0.0]]  # Means over items 0 and 1.
    assert content.user_logits.tolist() == [[8.0], [0.0], [0.0]]


def test_mean_logits() -> None:
    content = encoder('mean')(X, MODALITY, GRAPH)
    assert content.user_logits.tolist() == [[4.0], [0.0], [0.0]]
