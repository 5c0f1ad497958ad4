import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.graph import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    REV_INTERACTS,
    describes,
    modalities,
    reverse,
)
from lgmrec_pyg.ops import degree_weight


@functional_transform('degree_norm')
class DegreeNorm(BaseTransform):
    r"""Computes the propagation weights of the graph once and stores them as
    :obj:`edge_weight` (functional name: :obj:`degree_norm`).

    Interactions are normalized symmetrically by the degrees of the training
    graph, and the nodes of a modality that describe the same item are averaged:

    .. math::
        w_{ui} = \frac{c_{ui}}{\sqrt{d_u d_i}} \qquad
        w_{ni} = \frac{1}{|\mathcal{N}_m(i)|}

    with degrees :math:`d_u = \sum_i c_{ui}`, where :math:`c_{ui}` is the
    :obj:`confidence` of an interaction, or one if interactions have none.

    Reverse edges, if present, get the weights of the edges they reverse.
    Nodes without edges, having no weights, receive zeros in propagation.
    Existing weights are replaced.
    """

    def forward(self, data: HeteroData) -> HeteroData:
        norms = [(INTERACTS, 'sym'), (REV_INTERACTS, 'sym')]
        for modality in modalities(data):
            norms += [(describes(modality), 'mean'), (reverse(describes(modality)), '')]
        for edge_type, norm in norms:
            if edge_type not in data.edge_types:
                continue
            store = data[edge_type]
            if 'edge_index' not in store:
                raise ValueError(
                    f"Edge type {edge_type} needs to have 'edge_index' (got "
                    f"{list(store.keys())}): apply 'DegreeNorm' before the "
                    f'conversion to a sparse adjacency'
                )
            index, size = store.edge_index, store.size()
            if not norm:  # The mean of the direction that the edges reverse.
                index, size, norm = index.flip(0), size[::-1], 'mean'
            confidence = store.get(CONFIDENCE) if norm == 'sym' else None
            if confidence is None and edge_type == REV_INTERACTS:
                confidence = _confidence_of_reverse(data)
            store.edge_weight = degree_weight(
                index[0], index[1], size, norm, value=confidence
            )
        return data


def _confidence_of_reverse(data: HeteroData) -> Tensor | None:
    confidence = data[INTERACTS].get(CONFIDENCE)
    if confidence is None:
        return None
    num_items = int(data[ITEM].num_nodes)
    user, item = data[INTERACTS].edge_index.long()
    keys, order = (user * num_items + item).sort()
    item, user = data[REV_INTERACTS].edge_index.long()
    wanted = user * num_items + item
    place = torch.searchsorted(keys, wanted).clamp(max=keys.numel() - 1)
    if keys.numel() != wanted.numel() or not torch.equal(keys[place], wanted):
        raise ValueError(
            f"'{CONFIDENCE}' is needed of {REV_INTERACTS} as well, for they are other "
            f'pairs than those of {INTERACTS} (got none)'
        )
    return confidence[order[place]]
