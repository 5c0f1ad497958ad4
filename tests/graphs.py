r"""Small graphs with every irregularity, and the adjacency types to run them on."""

import pytest
import torch
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import WITH_TORCH_SPARSE

from lgmrec_pyg.graph import INTERACTS, describes, modalities, model_inputs
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

ADJ_KINDS = [
    pytest.param(
        'sparse_tensor',
        marks=pytest.mark.skipif(not WITH_TORCH_SPARSE, reason='needs torch-sparse'),
    ),
    pytest.param(
        'sparse_tensor_normalized',
        marks=pytest.mark.skipif(not WITH_TORCH_SPARSE, reason='needs torch-sparse'),
    ),
    'csr',
    'edge_index_fused',
    'edge_index',
    'edge_index_normalized',
    'compressed',
]


def irregular_graph(
    num_modalities: int = 2,
    num_users: int = 11,
    num_items: int = 9,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> HeteroData:
    r"""Isolated users and items; items with zero, one or three modality nodes."""
    generator = torch.Generator().manual_seed(seed)
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = num_users, num_items
    dense = torch.rand(num_users, num_items, generator=generator) < 0.35
    dense[3], dense[-1], dense[:, 2], dense[:, -1] = False, False, False, False
    dense[0, 0] = True
    data[INTERACTS].edge_index = dense.nonzero().t().contiguous()
    for i in range(num_modalities):
        name = ['image', 'text', 'audio'][i]
        owner = torch.arange(num_items)
        owner = torch.cat([owner[owner % 4 != i], torch.tensor([1, 1])])
        owner = owner[torch.randperm(owner.numel(), generator=generator)]
        x = torch.randn(owner.numel(), 4 + 3 * i, generator=generator, dtype=dtype)
        data[name].x = x
        index = torch.stack([torch.arange(owner.numel()), owner])
        data[describes(name)].edge_index = index
    return data


def inputs_of(data: HeteroData, kind: str, dtype: torch.dtype = torch.float64) -> tuple:
    r"""The arguments of ``LGMRec.forward`` with one kind of adjacency."""
    data = T.ToUndirected()(data)
    if kind == 'sparse_tensor':
        return collect(T.ToSparseTensor()(data))
    if kind == 'edge_index':
        return collect(data)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    if kind == 'compressed':
        inputs = model_inputs(data)
        torch.set_default_dtype(default)
        return inputs
    data = DegreeNorm()(data)
    torch.set_default_dtype(default)
    if kind == 'edge_index_normalized':
        return collect(data)
    layouts = {
        'sparse_tensor_normalized': 'torch_sparse',
        'edge_index_fused': 'edge_index',
    }
    return collect(ToAdjacency(layouts.get(kind, kind))(data))


def collect(data: HeteroData) -> tuple:
    r"""Features, adjacency and weights as PyG collects them."""
    x_dict = {name: data[name].x for name in modalities(data)}
    if 'adj_t' in data[INTERACTS]:
        return x_dict, data.collect('adj_t')
    weights = data.collect('edge_weight', allow_empty=True)
    return x_dict, data.collect('edge_index'), *([weights] if weights else [])


def dense_interactions(data: HeteroData, dtype: torch.dtype = torch.float64) -> Tensor:
    out = torch.zeros(data['user'].num_nodes, data['item'].num_nodes, dtype=dtype)
    out[tuple(data[INTERACTS].edge_index)] = 1
    return out
