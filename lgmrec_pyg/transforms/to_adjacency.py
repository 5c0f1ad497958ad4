import warnings

import torch
import torch_geometric.transforms as T
import torch_geometric.typing
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.data.storage import EdgeStorage
from torch_geometric.transforms import BaseTransform
from torch_geometric.typing import SparseTensor

from lgmrec_pyg.graph.schema import SIMILAR, reverse
from lgmrec_pyg.ops import to_csr
from lgmrec_pyg.transforms._label_pairs import pop_labels, restore_labels
from lgmrec_pyg.transforms.degree_norm import DegreeNorm

LAYOUTS = ('auto', 'torch_sparse', 'csr', 'edge_index')


@functional_transform('to_adjacency')
class ToAdjacency(BaseTransform):
    r"""Converts the edges of the graph to the form in which layers propagate
    over them fastest (functional name: :obj:`to_adjacency`).

    Edge types that have no reverse, but those between similar items, get one as in
    :class:`~torch_geometric.transforms.ToUndirected`.
    In contrast to :class:`~torch_geometric.transforms.ToSparseTensor`, label
    pairs such as :obj:`val_edge_label_index` are left as they are, even if
    there are as many of them as edges.

    Args:
        layout (str, optional): The form of the adjacency.
            :obj:`"torch_sparse"` stores :obj:`adj_t` as a
            :class:`torch_sparse.SparseTensor` that holds :obj:`edge_weight`,
            if present.
            :obj:`"csr"` stores :obj:`adj_t` as a :class:`torch.Tensor` of
            layout :obj:`torch.sparse_csr`. Since it always holds values, the
            weights of :class:`DegreeNorm` are added to unweighted edges.
            :obj:`"edge_index"` stores :obj:`edge_index` as a
            :class:`torch_geometric.EdgeIndex` that is sorted by destination
            and whose caches are filled, next to :obj:`edge_weight`, if
            present.
            :obj:`"auto"` is :obj:`"torch_sparse"` if installed, and
            :obj:`"csr"` otherwise. (default: :obj:`"auto"`)
    """

    def __init__(self, layout: str = 'auto') -> None:
        if layout not in LAYOUTS:
            raise ValueError(f"'layout' needs to be one of {LAYOUTS} (got '{layout}')")
        if layout == 'torch_sparse' and not torch_geometric.typing.WITH_TORCH_SPARSE:
            raise ImportError(
                "'layout=\"torch_sparse\"' requires 'torch-sparse'. Install it via "
                "'pip install --no-build-isolation torch-scatter torch-sparse', or "
                'use \'layout="csr"\''
            )
        self.layout = layout

    def forward(self, data: HeteroData) -> HeteroData:
        layout = self.layout
        if layout == 'auto':
            has_sparse = torch_geometric.typing.WITH_TORCH_SPARSE
            layout = 'torch_sparse' if has_sparse else 'csr'
        labels = pop_labels(data)
        for store in data.edge_stores:
            _to_plain(store, layout)
        _add_reverse_edges(data)
        if layout == 'csr':
            _add_missing_weights(data)
        if layout == 'edge_index':
            _to_edge_index(data)
        else:
            sparse_csr = torch.sparse_csr if layout == 'csr' else None
            with warnings.catch_warnings():  # That the layout is in beta.
                warnings.filterwarnings('ignore', 'Sparse', UserWarning)
                data = T.ToSparseTensor(attr='edge_weight', layout=sparse_csr)(data)
        restore_labels(data, labels)
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(layout='{self.layout}')"


def _to_plain(store: EdgeStorage, layout: str) -> None:
    adj_t = store.get('adj_t')
    is_layout = 'torch_sparse' if isinstance(adj_t, SparseTensor) else 'csr'
    if adj_t is not None and layout != is_layout:
        csr = to_csr(store.pop('adj_t'))
        store.edge_index = torch.stack([csr.col, csr.row])
        if csr.value is not None:
            store.edge_weight = csr.value
    if 'edge_index' in store:
        if isinstance(store.edge_index, EdgeIndex):
            store.edge_index = store.edge_index.as_tensor()
        store.edge_index = store.edge_index.long()  # As SparseTensor needs.


def _add_reverse_edges(data: HeteroData) -> None:
    edge_types = set(data.edge_types)
    missing = [
        edge_type
        for edge_type in data.edge_types
        if not edge_type[1].startswith(('rev_', SIMILAR))
        and reverse(edge_type) not in edge_types
    ]
    data.update(T.ToUndirected(merge=False)(data.edge_type_subgraph(missing)))


def _add_missing_weights(data: HeteroData) -> None:
    missing = [
        edge_type
        for edge_type in data.edge_types
        if 'edge_index' in data[edge_type] and 'edge_weight' not in data[edge_type]
    ]
    data.update(DegreeNorm()(data.edge_type_subgraph(missing)))


def _to_edge_index(data: HeteroData) -> None:
    for store in data.edge_stores:
        if 'edge_index' not in store:
            continue
        store.sort(sort_by_row=False)
        edge_index = EdgeIndex(
            store.edge_index.contiguous(),
            sparse_size=store.size(),
            sort_order='col',
        )
        store.edge_index = edge_index.fill_cache_()
