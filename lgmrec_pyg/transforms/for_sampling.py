import torch
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.graph import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    REV_INTERACTS,
    USER,
    MultimodalGraph,
    modalities,
    similar,
    training_pairs,
)


@functional_transform('for_sampling')
class ForSampling(BaseTransform):
    r"""Prepares a graph for the loaders of PyG: stores what a part of it needs to
    know about the whole (functional name: :obj:`for_sampling`).

    Users and items get their number of interactions, :obj:`degree`, and by the name
    of every modality, *e.g.*, :obj:`image_degree`, the number of nodes that describe
    an item, and of the items of a user that have any. Missing reverse interactions
    are added. Then, a batch is an input like the whole graph,

    .. code-block:: python

        data = ForSampling()(data)
        hops = {e: [-1, -1, -1] for e in data.edge_types}
        hops |= {INTERACTS: [10, 5, 0], REV_INTERACTS: [10, 5, 0]}
        hops |= {e: [-1, 0, 0] for e in similarities(data)}
        loader = LinkNeighborLoader(
            data, hops, edge_label_index=(INTERACTS, data[INTERACTS].edge_index),
            neg_sampling=NegativeSampling('triplet'), batch_size=2048, shuffle=True,
            replace=True,
        )
        fit(model, data, loader)

    Models take each of the neighbors of a node to be as likely as any other. Those of
    torch-sparse are so with :obj:`replace=True` only: without, it never draws the last
    of them for one, and rarely for more.
    :class:`~lgmrec_pyg.sampling.SubgraphSampler` draws such batches from any graph,
    without a transform, and faster.
    """

    def forward(self, data: HeteroData) -> HeteroData:
        graph = MultimodalGraph.from_data(data)
        pairs = training_pairs(data)
        data[INTERACTS].num_pairs = pairs.size(1)
        if REV_INTERACTS not in data.edge_types:
            data[REV_INTERACTS].edge_index = pairs.flip(0)
            for name in ('edge_weight', CONFIDENCE):
                if name in data[INTERACTS]:
                    data[REV_INTERACTS][name] = data[INTERACTS][name]
        for row, node_type in zip(pairs, (USER, ITEM), strict=True):
            size = data[node_type].num_nodes
            data[node_type].num_total = size
            data[node_type].degree = torch.bincount(row, minlength=size)
        for name in modalities(data):
            data[ITEM][f'{name}_degree'] = graph.modality[name].to_item.degree
            count = graph.modality[name].user_degree
            data[USER][f'{name}_degree'] = count.view(-1).long()
        for name, adj in graph.similar.items():
            data[ITEM][f'{similar(name)[1]}_degree'] = adj.degree
        return data
