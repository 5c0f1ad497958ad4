from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import Adj, EdgeType

from lgmrec_pyg.graph.bipartite_graph import BipartiteGraph, ModalityGraph
from lgmrec_pyg.graph.schema import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    REV_INTERACTS,
    SIMILAR,
    USER,
    check_types,
    describes,
    edge_index_of,
    is_similar,
    modalities,
)
from lgmrec_pyg.graph.subgraph import (
    SampledNodes,
    check_similar,
    is_subgraph,
    neighbor_scale,
    neighbor_weights,
    sampled_nodes,
    user_degree,
)
from lgmrec_pyg.ops.adjacency import Adjacency


class MultimodalGraph(NamedTuple):
    r"""The edges of a multimodal interaction graph in the form in which models
    propagate over them, built once for a whole training.

    Args:
        interactions (BipartiteGraph): The interactions in both directions.
        modality (Dict[str, ModalityGraph]): What describes items, a modality.
        similar (Dict[str, Adjacency], optional): Which items are similar, a
            modality, see :class:`~lgmrec_pyg.transforms.SimilarItems`.
            (default: :obj:`{}`)
        nodes (Dict[str, SampledNodes], optional): The users and items of a part of
            a graph, see :class:`~lgmrec_pyg.sampling.SubgraphSampler`; none stand
            for those of a whole graph. (default: :obj:`{}`)
    """

    interactions: BipartiteGraph
    modality: dict[str, ModalityGraph]
    similar: dict[str, Adjacency] = {}  # noqa: RUF012
    nodes: dict[str, SampledNodes] = {}  # noqa: RUF012

    @classmethod
    def from_data(
        cls, data: HeteroData, dtype: torch.dtype | None = None
    ) -> 'MultimodalGraph':
        r"""Compresses the edges of a graph, whether it holds them as
        :obj:`edge_index`, with or without :obj:`edge_weight`, or as :obj:`adj_t`.
        Edges without weights are normalized as by
        :class:`~lgmrec_pyg.transforms.DegreeNorm`, and so are interactions that have
        a :obj:`confidence`; those of a batch of a neighbor sampler such that sums
        over neighbors are unbiased. A :class:`torch.Tensor` in a sparse layout whose
        values are all one, as :class:`~torch_geometric.transforms.ToSparseTensor`
        makes it of edges without weights, has none.

        Args:
            data (HeteroData): The multimodal interaction graph, or a batch of it.
            dtype (torch.dtype, optional): The type of computed weights; the wider
                of those of features and the default type if :obj:`None`.
                (default: :obj:`None`)
        """
        check_types(data)
        if dtype is None:
            dtype = torch.get_default_dtype()
            for name in modalities(data):
                dtype = torch.promote_types(dtype, data[name].x.dtype)
        adj_dict = data.collect('edge_index', allow_empty=True)
        adj_dict |= data.collect('adj_t', allow_empty=True)
        for edge_type, adj in adj_dict.items():
            is_sparse = isinstance(adj, Tensor) and adj.layout != torch.strided
            if is_sparse and bool((adj.to_sparse_coo().coalesce().values() == 1).all()):
                adj_dict[edge_type] = edge_index_of(data[edge_type])
        weight_dict = data.collect('edge_weight', allow_empty=True)
        types = (USER, ITEM, *modalities(data))
        num_nodes = {name: int(data[name].num_nodes or 0) for name in types}
        if is_subgraph(data):
            return cls._from_subgraph(data, adj_dict, weight_dict, num_nodes, dtype)
        graph = cls.from_dict(adj_dict, weight_dict, num_nodes, dtype)
        store = data[INTERACTS]
        if CONFIDENCE not in store:
            return graph
        size = num_nodes[USER], num_nodes[ITEM]
        interactions = BipartiteGraph.from_confidence(
            edge_index_of(store), store[CONFIDENCE], *size, dtype
        )
        return graph._replace(interactions=interactions)

    @classmethod
    def _from_subgraph(
        cls,
        data: HeteroData,
        adj_dict: dict[EdgeType, Adj],
        weight_dict: dict[EdgeType, Tensor],
        num_nodes: dict[str, int],
        dtype: torch.dtype,
    ) -> 'MultimodalGraph':
        weight_dict |= neighbor_weights(data, dtype)
        out = cls.from_dict(adj_dict, weight_dict, num_nodes, dtype)
        scale = neighbor_scale(data, REV_INTERACTS).to(dtype).view(-1, 1)
        modality = {
            name: graph._replace(user_degree=user_degree(data, name).to(dtype))
            for name, graph in out.modality.items()
        }
        interactions = out.interactions._replace(user_scale=scale)
        nodes = sampled_nodes(data)
        check_similar(data, nodes[ITEM].weight.numel())
        return cls(interactions, modality, out.similar, nodes)

    @property
    def item_degree(self) -> Tensor:
        r"""The number of interactions of every item, in the whole graph, of shape
        :math:`(|\mathcal{I}|)`.
        """
        nodes = self.nodes.get(ITEM)
        return self.interactions.to_item.degree if nodes is None else nodes.degree

    @classmethod
    def from_dict(
        cls,
        adj_dict: Mapping[EdgeType, Adj],
        weight_dict: Mapping[EdgeType, Tensor] | None = None,
        num_nodes: Mapping[str, int] | None = None,
        dtype: torch.dtype | None = None,
    ) -> 'MultimodalGraph':
        r"""Compresses edges as PyG collects them, *e.g.*, in
        :obj:`data.adj_t_dict`. The reverse of the interactions may be missing.

        Args:
            adj_dict (Dict[Tuple[str, str, str], Adj]): The interactions, and the
                edges from the nodes of modalities to items and between similar
                items. Those without weights are means.
            weight_dict (Dict[Tuple[str, str, str], torch.Tensor], optional):
                Weights of edge indices. (default: :obj:`None`)
            num_nodes (Dict[str, int], optional): The number of nodes of every
                type; needed for plain edge indices. (default: :obj:`None`)
            dtype (torch.dtype, optional): The type of computed weights.
                (default: :obj:`None`)
        """
        if INTERACTS not in adj_dict:
            raise ValueError(
                f"'adj_dict' needs to hold the edge type {INTERACTS} "
                f'(got {list(adj_dict)})'
            )
        weight_dict, num_nodes = weight_dict or {}, num_nodes or {}
        interactions = BipartiteGraph.from_adj(
            adj_dict[INTERACTS],
            adj_dict.get(REV_INTERACTS),
            weight_dict.get(INTERACTS),
            weight_dict.get(REV_INTERACTS),
            num_nodes.get(USER),
            num_nodes.get(ITEM),
            dtype,
        )
        modality = {
            edge_type[0]: ModalityGraph.from_adj(
                adj,
                interactions,
                weight_dict.get(edge_type),
                num_nodes.get(edge_type[0]),
                dtype,
            )
            for edge_type, adj in adj_dict.items()
            if edge_type == describes(edge_type[0])
        }
        size = (interactions.num_items, interactions.num_items)
        similar = {
            edge_type[1].removeprefix(SIMILAR): Adjacency.from_adj(
                adj, weight_dict.get(edge_type), size, 'mean', dtype
            )
            for edge_type, adj in adj_dict.items()
            if is_similar(edge_type)
        }
        return cls(interactions, modality, similar)


def model_inputs(data: HeteroData) -> tuple[dict[str, Tensor], MultimodalGraph]:
    r"""Returns the positional arguments of a model's :meth:`forward`: the features
    of every modality, and the edges, compressed once.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    graph = MultimodalGraph.from_data(data)
    return {name: data[name].x for name in modalities(data)}, graph
