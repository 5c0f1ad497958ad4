r"""The multimodal interaction graph: its schema, check and compressed form."""

from lgmrec_pyg.graph.bipartite_graph import BipartiteGraph, ModalityGraph
from lgmrec_pyg.graph.multimodal_graph import MultimodalGraph, model_inputs
from lgmrec_pyg.graph.schema import (
    INTERACTS,
    ITEM,
    LABELS,
    REV_INTERACTS,
    USER,
    describes,
    edge_index_of,
    modalities,
    reverse,
    training_pairs,
)
from lgmrec_pyg.graph.validate import validate_graph

__all__ = [
    'INTERACTS',
    'ITEM',
    'LABELS',
    'REV_INTERACTS',
    'USER',
    'BipartiteGraph',
    'ModalityGraph',
    'MultimodalGraph',
    'describes',
    'edge_index_of',
    'modalities',
    'model_inputs',
    'reverse',
    'training_pairs',
    'validate_graph',
]
