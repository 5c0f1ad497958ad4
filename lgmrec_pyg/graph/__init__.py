r"""The multimodal interaction graph: its schema, check and compressed form."""

from lgmrec_pyg.graph.bipartite_graph import BipartiteGraph, ModalityGraph
from lgmrec_pyg.graph.id_map import IdMap
from lgmrec_pyg.graph.ids import (
    Ids,
    align_ids,
    as_ids,
    decode_ids,
    encode_ids,
    get_ids,
    kind_of,
    set_ids,
)
from lgmrec_pyg.graph.multimodal_graph import MultimodalGraph, model_inputs
from lgmrec_pyg.graph.schema import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    LABELS,
    REV_INTERACTS,
    USER,
    describes,
    edge_index_of,
    modalities,
    reverse,
    similar,
    similarities,
    training_pairs,
)
from lgmrec_pyg.graph.subgraph import (
    SampledNodes,
    is_subgraph,
    seed_probability,
    triplets,
)
from lgmrec_pyg.graph.validate import validate_graph

__all__ = [
    'CONFIDENCE',
    'INTERACTS',
    'ITEM',
    'LABELS',
    'REV_INTERACTS',
    'USER',
    'BipartiteGraph',
    'IdMap',
    'Ids',
    'ModalityGraph',
    'MultimodalGraph',
    'SampledNodes',
    'align_ids',
    'as_ids',
    'decode_ids',
    'describes',
    'edge_index_of',
    'encode_ids',
    'get_ids',
    'is_subgraph',
    'kind_of',
    'modalities',
    'model_inputs',
    'reverse',
    'seed_probability',
    'set_ids',
    'similar',
    'similarities',
    'training_pairs',
    'triplets',
    'validate_graph',
]
