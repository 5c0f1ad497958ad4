r"""The graphs to propagate over: real ones by path, generated ones by size."""

import os
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.utils import degree, index_sort
from torch_geometric.utils.sparse import index2ptr

from lgmrec_pyg.datasets import read_interactions

DATA_VARIABLE = 'LGMREC_DATA'


class Graph(NamedTuple):
    r"""The edges of a bipartite (or square) graph."""

    name: str
    edge_index: Tensor
    size: tuple[int, int]

    @property
    def num_edges(self) -> int:
        return self.edge_index.size(1)

    def weight(self) -> Tensor:
        r"""The symmetric normalization :math:`1 / \sqrt{d_j d_i}`."""
        src, dst = self.edge_index
        product = degree(src, self.size[0])[src] * degree(dst, self.size[1])[dst]
        return product.rsqrt()


def compress(
    graph: Graph, index_dtype: torch.dtype, value_dtype: torch.dtype, reverse: bool
) -> Tensor:
    r"""The normalized adjacency as a CSR tensor whose rows are the
    destinations, or the sources if :obj:`reverse` is :obj:`True`.
    """
    src, dst = graph.edge_index.flip([0]) if reverse else graph.edge_index
    num_src, num_dst = graph.size[::-1] if reverse else graph.size
    row, perm = index_sort(dst, max_value=num_dst)
    return torch.sparse_csr_tensor(
        index2ptr(row, num_dst).to(index_dtype),
        src[perm].to(index_dtype),
        graph.weight()[perm].to(value_dtype),
        (num_dst, num_src),
        check_invariants=False,
    )


def data_folder(path: str | None) -> str | None:
    r"""The folder of real graphs: as given, or as the environment says."""
    return path or os.environ.get(DATA_VARIABLE)


def load_graph(name: str, folder: str | None) -> Graph:
    r"""Loads the training pairs of ``<folder>/<name>/<name>.inter``."""
    if folder is None:
        raise SystemExit(
            f"Real graph '{name}' needs '--data DIR' or {DATA_VARIABLE} to name the "
            f"folder that holds '{name}/{name}.inter'"
        )
    pairs = read_interactions(os.path.join(folder, name, f'{name}.inter'))
    return Graph(name, pairs.train, (pairs.num_users, pairs.num_items))


def power_law_graph(
    num_edges: int,
    num_users: int | None = None,
    num_items: int | None = None,
    exponent: float = 0.8,
    seed: int = 0,
) -> Graph:
    r"""Draws distinct pairs whose ends follow a power law: the node of rank
    :math:`r` is drawn with probability proportional to :math:`r^{-s}`.

    Ranks are shuffled, so neighbors in memory have nothing to do with each
    other: the worst case for a cache.
    Users take half of the exponent of items, being less skewed in practice. By
    default there are ten pairs a user, and two users an item.
    """
    num_users = num_users or max(2, num_edges // 10)
    num_items = num_items or max(2, num_users // 2)
    if num_edges > num_users * num_items // 2:
        raise ValueError(
            f"'num_edges' needs to be at most half of all {num_users} x {num_items} "
            f'pairs (got {num_edges})'
        )
    generator = torch.Generator().manual_seed(seed)
    keys = torch.empty(0, dtype=torch.long)
    while keys.numel() < num_edges:
        missing = num_edges - keys.numel()
        user = draw_nodes(num_users, exponent / 2, missing + missing // 4, generator)
        item = draw_nodes(num_items, exponent, missing + missing // 4, generator)
        keys = torch.cat([keys, user * num_items + item]).unique()
    # 'unique' sorts, so leaving out the last pairs would leave out users.
    keep = torch.randperm(keys.numel(), generator=generator)[:num_edges]
    keys = keys[keep]
    user = torch.randperm(num_users, generator=generator)[keys // num_items]
    item = torch.randperm(num_items, generator=generator)[keys % num_items]
    name = f'power-law-{num_edges:.0e}'.replace('e+0', 'e')
    return Graph(name, torch.stack([user, item]), (num_users, num_items))


def free_memory(device: torch.device) -> int:
    r"""The bytes that can still be allocated."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    if not os.path.exists('/proc/meminfo'):  # All that there is, but on Linux.
        return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    with open('/proc/meminfo', encoding='ascii') as file:
        fields = dict(line.split(':', 1) for line in file)
    return int(fields['MemAvailable'].split()[0]) * 1024


def draw_nodes(
    num_nodes: int, exponent: float, num_samples: int, generator: torch.Generator
) -> Tensor:
    r"""Draws nodes with a probability that falls with the power of their rank."""
    # The inverse of the continuous distribution function: no table of weights.
    uniform = torch.rand(num_samples, dtype=torch.double, generator=generator)
    power = 1.0 - exponent
    rank = (uniform * ((num_nodes + 1) ** power - 1) + 1) ** (1 / power)
    return rank.long().sub_(1).clamp_(0, num_nodes - 1)
