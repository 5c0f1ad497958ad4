from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    REV_INTERACTS,
    USER,
    describes,
    model_inputs,
    seed_probability,
    similar,
)
from lgmrec_pyg.ops.parallel import own_part
from lgmrec_pyg.sampling.draw_neighbors import Numbering, draw_neighbors
from lgmrec_pyg.sampling.triplet_sampler import TripletSampler


class SubgraphSampler:
    r"""Draws triplets as :class:`~lgmrec_pyg.sampling.TripletSampler` does, and around
    them a part of the graph, by the neighbor sampling of the `"Inductive
    Representation Learning on Large Graphs" <https://arxiv.org/abs/1706.02216>`_
    paper: the cost of a step follows the size of the batch, and not that of the
    graph.

    .. code-block:: python

        fit(model, data, SubgraphSampler(data, num_neighbors=[20, 10]))

    A batch is what :class:`torch_geometric.loader.LinkNeighborLoader` yields for
    triplets, and as many features as the items of the part have. It has the edges to
    up to :math:`k_h` in-neighbors of every node in hop :math:`h`, in both directions,
    each drawn once, with full-graph weights. Models scale these by how many were left
    out. Sums over neighbors are then unbiased, and so are all up to two layers;
    on paths of three and more that return to a node, its one draw counts twice.

    The seeds of a part are the users and items of the triplets, and some of those
    without any interaction, for losses hold triplets against all nodes, of which seeds
    are a sample: :obj:`seed_probability` is that of each to be in the batch. It is
    exact for the pairs, while negatives count as uniform over the training items.

    Items that are similar to the seeds, see
    :class:`~lgmrec_pyg.transforms.SimilarItems`, come along, all of them.

    Neighbors are drawn evenly spaced from a random start, in a few passes over all of
    a hop at once: with equal probabilities, without duplicates and rejections. That is
    why batches do not come from PyG's loader, whose sampler walks from node to node.

    Args:
        data (HeteroData): The multimodal interaction graph.
        num_neighbors (Sequence[int], optional): The number of neighbors to draw in
            every hop. Models need a hop a layer, and LGMRec another one for the
            features of users, unless these have embeddings, as by :obj:`shared_ids`
            or :obj:`fusion="concat"`. Fewer are faster, and embeddings noisier.
            (default: :obj:`(20, 10, 5)`)
        batch_size (int, optional): The number of triplets in a batch.
            (default: :obj:`2048`)
        generator (torch.Generator, optional): The source of randomness. If
            :obj:`None`, will use the global one. (default: :obj:`None`)

    Shapes:
        - **output:** a :class:`~torch_geometric.data.HeteroData` with :obj:`n_id` of
          every node type, seeds first, and :obj:`src_index`, :obj:`dst_pos_index` and
          :obj:`dst_neg_index`, each :math:`(B)`

    Raises:
        ValueError: If a number of neighbors is not positive, or see
            :class:`~lgmrec_pyg.sampling.TripletSampler`.
    """

    def __init__(
        self,
        data: HeteroData,
        num_neighbors: Sequence[int] = (20, 10, 5),
        batch_size: int = 2048,
        generator: torch.Generator | None = None,
    ) -> None:
        if not num_neighbors or any(k < 1 for k in num_neighbors):
            raise ValueError(
                f"'num_neighbors' needs to hold positive integers (got {num_neighbors})"
            )
        self.num_neighbors = tuple(num_neighbors)
        self.generator = generator
        self.triplets = TripletSampler.from_data(
            data, batch_size=batch_size, generator=generator
        )
        self.inputs = model_inputs(data)
        pairs = {USER: self.triplets.user, ITEM: self.triplets.item}
        self._degree: dict[str, Tensor] = {}
        self._idle: dict[str, Tensor] = {}
        self._numbering: dict[str, Numbering] = {}
        for name, index in pairs.items():
            size = data[name].num_nodes
            self._degree[name] = torch.bincount(index, minlength=size)
            self._idle[name] = (self._degree[name] == 0).nonzero().view(-1)
            self._numbering[name] = Numbering(size, index.device)
        interactions = self.inputs[1].interactions
        self._csr = {ITEM: interactions.to_item.csr, USER: interactions.to_user.csr}

    @property
    def user(self) -> Tensor:
        r"""The users of all training pairs."""
        return self.triplets.user

    @property
    def item(self) -> Tensor:
        r"""The items of all training pairs."""
        return self.triplets.item

    @property
    def batch_size(self) -> int:
        r"""The number of triplets in a batch."""
        return self.triplets.batch_size

    def __len__(self) -> int:
        return len(self.triplets)

    def __iter__(self) -> Iterator[HeteroData]:
        for triplet in self.triplets:
            with own_part(*triplet, generator=self.generator) as part:
                yield self.sample(*part)

    def check_hops(self, model: Any) -> None:
        r"""Raises an error if a model needs more hops."""
        needed = getattr(model, 'num_hops', 0)
        if needed > len(self.num_neighbors):
            raise ValueError(
                f"'num_neighbors' needs to hold a number for each of {needed} hops of "
                f"'{type(model).__name__}' (got {list(self.num_neighbors)})"
            )

    def sample(self, user: Tensor, pos: Tensor, neg: Tensor) -> HeteroData:
        r"""Returns the part of the graph around given triplets.

        Args:
            user (torch.Tensor): The users, of shape :math:`(B)`.
            pos (torch.Tensor): The positive items, of shape :math:`(B)`.
            neg (torch.Tensor): The negative items, of shape :math:`(B)`.
        """
        try:
            return self._sample(user, pos, neg)
        except BaseException:
            for numbering in self._numbering.values():
                numbering.clear()
            raise

    def _sample(self, user: Tensor, pos: Tensor, neg: Tensor) -> HeteroData:
        data, numbering, size = HeteroData(), self._numbering, user.numel()
        front = {}
        for name, drawn in ((USER, user), (ITEM, torch.cat([pos, neg]))):
            idle = self._draw_idle(name, size)
            front[name] = numbering[name].add(torch.cat([drawn, idle]))
            probability = self._probability(name, front[name], size, idle.numel())
            data[name].seed_probability = probability
        seeds = front[ITEM]
        self._add_edges(data, front)
        self._add_similar(data, seeds)
        data[USER].src_index = numbering[USER].of(user)
        data[ITEM].dst_pos_index = numbering[ITEM].of(pos)
        data[ITEM].dst_neg_index = numbering[ITEM].of(neg)
        for name in numbering:
            n_id = numbering[name].clear()
            data[name].n_id, data[name].num_nodes = n_id, n_id.numel()
            rowptr = self._csr[name].rowptr
            data[name].degree = rowptr[n_id + 1] - rowptr[n_id]
        for name, adj in self.inputs[1].similar.items():
            degree = adj.degree[data[ITEM].n_id]
            data[ITEM][f'{similar(name)[1]}_degree'] = degree
        self._add_features(data)
        return data

    def _add_edges(self, data: HeteroData, front: dict[str, Tensor]) -> None:
        edges: dict[str, list[tuple[Any, ...]]] = {USER: [], ITEM: []}
        other = {USER: ITEM, ITEM: USER}
        for k in self.num_neighbors:
            drawn = {
                name: draw_neighbors(self._csr[name], nodes, k, self.generator)
                for name, nodes in front.items()
            }
            for name, (place, src, weight) in drawn.items():
                edges[name].append((front[name][place], src, weight))
            front = {
                other[name]: self._numbering[other[name]].add(src)
                for name, (_, src, _) in drawn.items()
            }
        for name, edge_type in ((ITEM, INTERACTS), (USER, REV_INTERACTS)):
            dst, src, weight = (torch.cat(x) for x in zip(*edges[name], strict=True))
            src = self._numbering[other[name]].of(src)
            dst = self._numbering[name].of(dst)
            data[edge_type].edge_index = torch.stack([src, dst])
            data[edge_type].edge_weight = weight

    def _add_similar(self, data: HeteroData, seeds: Tensor) -> None:
        numbering = self._numbering[ITEM]
        for name, adj in self.inputs[1].similar.items():
            place, src, weight = draw_neighbors(adj.csr, seeds, None)
            numbering.add(src)
            edge_index = torch.stack([numbering.of(src), numbering.of(seeds[place])])
            data[similar(name)].edge_index = edge_index
            data[similar(name)].edge_weight = weight

    def _add_features(self, data: HeteroData) -> None:
        x_dict, graph = self.inputs
        items = data[ITEM].n_id
        for name, x in x_dict.items():
            csr = graph.modality[name].to_item.csr
            item, node, weight = draw_neighbors(csr, items, None)
            n_id, node = node.unique(return_inverse=True)
            data[name].n_id, data[name].x = n_id, x.index_select(0, n_id)
            data[describes(name)].edge_index = torch.stack([node, item])
            data[describes(name)].edge_weight = weight
            data[ITEM][f'{name}_degree'] = torch.bincount(item, minlength=len(items))
            count = graph.modality[name].user_degree
            data[USER][f'{name}_degree'] = count[data[USER].n_id].view(-1)

    def _draw_idle(self, name: str, num_drawn: int) -> Tensor:
        # At the rate of the others. They have no neighbors, and cost next to nothing.
        idle = self._idle[name]
        active = max(1, self._degree[name].numel() - idle.numel())
        draws = torch.rand(
            -(-idle.numel() * min(num_drawn, active) // active),
            dtype=torch.double,
            generator=self.generator,
            device=idle.device,
        )
        return idle[(draws * idle.numel()).long()]

    def _probability(
        self, name: str, seeds: Tensor, num_drawn: int, num_idle: int
    ) -> Tensor:
        degree, pairs = self._degree[name][seeds], self.user.numel()
        num_items = self.triplets.negatives.train_items.numel()
        negatives = (num_items, num_drawn) if name == ITEM else (1, 0)
        active = seed_probability(degree, pairs, num_drawn, *negatives)
        idle = max(1, self._idle[name].numel()), num_idle
        return active.where(
            degree > 0, seed_probability(0 * degree, pairs, num_drawn, *idle)
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.triplets}, '
            f'num_neighbors={list(self.num_neighbors)})'
        )
