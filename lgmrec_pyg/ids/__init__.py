from lgmrec_pyg.ids.id_map import IdMap
from lgmrec_pyg.ids.values import Ids, as_ids, kind_of

__all__ = ['IdMap', 'Ids', 'as_ids', 'kind_of']
