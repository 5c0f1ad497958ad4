import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import scatter

from lgmrec_pyg.graph import ITEM, describes, edge_index_of, modalities, similar
from lgmrec_pyg.ops import unit_rows

WEIGHTS = ('cosine', 'uniform')
CHUNK_ELEMENTS = 1 << 22  # Of cosines: 16 MB.


@functional_transform('similar_items')
class SimilarItems(BaseTransform):
    r"""Links every item to those whose features are most similar, as edges
    :obj:`("item", "similar_<modality>", "item")` with :obj:`edge_weight`
    (functional name: :obj:`similar_items`).

    The neighbors :math:`\mathcal{N}_m(i)` of an item are the :math:`k` items of
    largest cosine to it, itself included (or any :math:`k` of more that equal it), and
    their weights are

    .. math::
        w_{ji} = \frac{s_{ij}}{\sqrt{D_i D_j}}, \quad D_i = \sum_{j \in
        \mathcal{N}_m(i)} s_{ij} \quad (\texttt{cosine}) \qquad \textrm{or} \qquad
        w_{ji} = \frac{1}{|\mathcal{N}_m(i)|} \quad (\texttt{uniform})

    with the cosines :math:`s_{ij}`, as in the `"Mining Latent Structures for
    Multimedia Recommendation" <https://arxiv.org/abs/2104.09036>`_ and in the `"A
    Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
    Recommendation" <https://arxiv.org/abs/2211.06924>`_ paper. Cosines below zero,
    which few items may have among their neighbors, count as zero. Several nodes of an
    item are averaged; items without features, or with nothing but zeros, have no
    neighbors and are none. The search is exact, and stores cosines of a few items
    at a time only. Apply it after
    :class:`~torch_geometric.transforms.ToUndirected`, which would make neighbors
    mutual.

    Args:
        k (int or Dict[str, int], optional): The number of neighbors, or one a
            modality (10 for those left out). (default: :obj:`10`)
        weight (str, optional): :obj:`"cosine"` or :obj:`"uniform"`.
            (default: :obj:`"cosine"`)
        union (bool, optional): If set to :obj:`True`, adds the union over
            modalities, with the largest weight of every edge, as
            :obj:`("item", "similar_item", "item")`. (default: :obj:`False`)
    """

    def __init__(
        self, k: int | dict[str, int] = 10, weight: str = 'cosine', union: bool = False
    ) -> None:
        if weight not in WEIGHTS:
            raise ValueError(f"'weight' needs to be one of {WEIGHTS} (got {weight!r})")
        self.k = k
        self.weight = weight
        self.union = union

    def forward(self, data: HeteroData) -> HeteroData:
        num_items, edges = int(data[ITEM].num_nodes), []
        for name in modalities(data):
            node, item = edge_index_of(data[describes(name)])
            x = data[name].x
            x = x[node].to(torch.promote_types(x.dtype, torch.float))
            x = scatter(x, item, dim=0, dim_size=num_items, reduce='mean')
            k = self.k.get(name, 10) if isinstance(self.k, dict) else self.k
            index, weight = nearest_neighbors(x, k)
            if self.weight == 'cosine':
                weight = normalize_similarity(weight.clamp(min=0), index, num_items)
            else:
                degree = torch.bincount(index[1], minlength=num_items)
                weight = degree[index[1]].to(weight.dtype).reciprocal()
            data[similar(name)].pop('adj_t', None)  # Of a call before.
            data[similar(name)].edge_index = index
            data[similar(name)].edge_weight = weight
            edges.append((index, weight))
        if similar(ITEM) in data.edge_types and not self.union:
            del data[similar(ITEM)]
        if self.union and edges:
            index = torch.cat([index for index, _ in edges], dim=1)
            key, number = (index[1] * num_items + index[0]).unique(return_inverse=True)
            weight = torch.cat([weight for _, weight in edges])
            index = torch.stack([key % num_items, key // num_items])
            data[similar(ITEM)].pop('adj_t', None)
            data[similar(ITEM)].edge_index = index
            data[similar(ITEM)].edge_weight = scatter(weight, number, reduce='max')
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(k={self.k}, weight={self.weight!r}, '
            f'union={self.union})'
        )


def nearest_neighbors(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    r"""Returns edges from the :math:`k` rows of largest cosine to every row, itself
    included, and these cosines; zero rows have no edges.

    Args:
        x (torch.Tensor): The features of items.
        k (int): The number of neighbors; there are fewer if there are fewer rows.
    """
    rows = (x != 0).any(dim=1).nonzero().view(-1)
    if rows.numel() == 0:
        return rows.new_empty(2, 0), x.new_empty(0)
    unit, k = unit_rows(x.detach()[rows]), min(k, rows.numel())
    chunks = unit.split(max(1, CHUNK_ELEMENTS // rows.numel()))
    cosine, found = zip(*((chunk @ unit.t()).topk(k) for chunk in chunks), strict=True)
    index = [rows[torch.cat(found).view(-1)], rows.repeat_interleave(k)]
    return torch.stack(index), torch.cat(cosine).view(-1)


def normalize_similarity(similarity: Tensor, index: Tensor, num_items: int) -> Tensor:
    r"""Divides by the roots of the sums of both items of an edge; similarities of
    items whose sum is not positive become zero.
    """
    j, i = index
    total = scatter(similarity, i, dim_size=num_items, reduce='sum')
    scale = torch.where(total > 0, total, torch.inf).rsqrt()
    return similarity * scale[i] * scale[j]
