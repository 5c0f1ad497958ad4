r"""Files that survive crashes, and that are checked before they are trusted."""

from lgmrec_pyg.storage._reading import reading
from lgmrec_pyg.storage.atomic import atomic_write
from lgmrec_pyg.storage.digest import fingerprint
from lgmrec_pyg.storage.extension import extend_model
from lgmrec_pyg.storage.graph import load_graph, save_graph
from lgmrec_pyg.storage.hub import from_pretrained, push_to_hub, save_pretrained
from lgmrec_pyg.storage.model import load_card, load_ids, load_model, save_model
from lgmrec_pyg.storage.tensors import load_metadata, load_tensors, save_tensors

__all__ = classes = [
    'atomic_write',
    'extend_model',
    'fingerprint',
    'from_pretrained',
    'load_card',
    'load_graph',
    'load_ids',
    'load_metadata',
    'load_model',
    'load_tensors',
    'push_to_hub',
    'reading',
    'save_graph',
    'save_model',
    'save_pretrained',
    'save_tensors',
]
