import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import degree

from lgmrec_pyg.graph import INTERACTS, REV_INTERACTS, describes, modalities, reverse


@functional_transform('degree_norm')
class DegreeNorm(BaseTransform):
    r"""Computes the propagation weights of the graph once and stores them as
    :obj:`edge_weight` (functional name: :obj:`degree_norm`).

    Interactions are normalized symmetrically by the degrees of the training
    graph, and the nodes of a modality that describe the same item are averaged:

    .. math::
        w_{ui} = \frac{1}{\sqrt{d_u d_i}} \qquad
        w_{ni} = \frac{1}{|\mathcal{N}_m(i)|}

    Reverse edges, if present, get the weights of the edges they reverse.
    Nodes without edges, having no weights, receive zeros in propagation.
    Existing weights are replaced.
    """

    def forward(self, data: HeteroData) -> HeteroData:
        weights = [(INTERACTS, _symmetric), (REV_INTERACTS, _symmetric)]
        for modality in modalities(data):
            edge_type = describes(modality)
            weights += [(edge_type, _mean), (reverse(edge_type), _mean_of_source)]
        for edge_type, weight in weights:
            if edge_type not in data.edge_types:
                continue
            store = data[edge_type]
            if 'edge_index' not in store:
                raise ValueError(
                    f"Edge type {edge_type} needs to have 'edge_index' (got "
                    f"{list(store.keys())}): apply 'DegreeNorm' before the "
                    f'conversion to a sparse adjacency'
                )
            store.edge_weight = weight(store.edge_index, store.size())
        return data


def _inverse_degree(index: Tensor, num_nodes: int) -> Tensor:
    # An isolated node is never indexed below, hence 1 / 0 reaches no edge:
    return 1.0 / degree(index, num_nodes, dtype=torch.float64)


def _symmetric(edge_index: Tensor, size: tuple[int, int]) -> Tensor:
    row, col = edge_index
    product = _inverse_degree(row, size[0])[row] * _inverse_degree(col, size[1])[col]
    return product.sqrt().to(torch.get_default_dtype())


def _mean(edge_index: Tensor, size: tuple[int, int]) -> Tensor:
    col = edge_index[1]
    return _inverse_degree(col, size[1])[col].to(torch.get_default_dtype())


def _mean_of_source(edge_index: Tensor, size: tuple[int, int]) -> Tensor:
    return _mean(edge_index.flip(0), size[::-1])
