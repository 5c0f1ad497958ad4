from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from lgmrec_pyg.graph import describes, modalities
from lgmrec_pyg.transforms._label_pairs import pop_labels, restore_labels


@functional_transform('remove_missing')
class RemoveMissing(BaseTransform):
    r"""Removes the nodes of modalities whose features are all zero, by which published
    files mark items without a picture or text (functional name:
    :obj:`remove_missing`).

    Such items then lack the modality: they have no content to propagate, no
    hyperedges, and do not count in the means of their users.
    :meth:`~lgmrec_pyg.datasets.graph_from_interactions` and
    :meth:`~lgmrec_pyg.datasets.add_item_features` leave these rows out in any case,
    and :class:`StandardizeFeatures` and
    :meth:`~lgmrec_pyg.recommend.embed_new_items` take them for missing. Files in the
    layout of the field are read as they were published, where zeros count as
    content, unless they pass through this transform. It comes before
    :class:`DegreeNorm`, whose means are over the nodes that are there.
    """

    def forward(self, data: HeteroData) -> HeteroData:
        kept = {name: (data[name].x != 0).any(dim=1) for name in modalities(data)}
        kept = {name: mask for name, mask in kept.items() if not bool(mask.all())}
        for name in kept:
            if 'edge_index' not in data[describes(name)]:
                raise ValueError(
                    f"Edge type {describes(name)} needs to have 'edge_index': apply "
                    f"'RemoveMissing' before the conversion to a sparse adjacency"
                )
        if not kept:
            return data
        labels = pop_labels(data)
        data = data.subgraph(kept)
        restore_labels(data, labels)
        return data
