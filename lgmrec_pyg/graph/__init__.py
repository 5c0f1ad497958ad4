r"""The multimodal interaction graph: its schema, and the check of it."""

from lgmrec_pyg.graph.schema import (
    INTERACTS,
    ITEM,
    LABELS,
    REV_INTERACTS,
    USER,
    describes,
    edge_index_of,
    modalities,
    model_inputs,
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
    'describes',
    'edge_index_of',
    'modalities',
    'model_inputs',
    'reverse',
    'training_pairs',
    'validate_graph',
]
