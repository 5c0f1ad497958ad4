r"""Graphs of the Open Graph Benchmark, for users who have them."""

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.graphs import Graph

# The package calls 'torch.load' without 'weights_only', which refuses the
# objects in its own caches since torch 2.6. This switch of torch turns the
# refusal off for such calls.
SWITCH = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def ogb_graph(name: str, root: str) -> Graph:
    r"""Loads a link or node dataset through the :obj:`ogb` package, which
    downloads it if :obj:`root` does not hold it yet.

    Args:
        name (str): The name, *e.g.*, :obj:`"ogbl-collab"` or
            :obj:`"ogbn-products"`.
        root (str): The folder of downloaded datasets.
    """
    try:
        import ogb.linkproppred
        import ogb.nodeproppred
    except ImportError as error:
        raise ImportError("OGB graphs require 'ogb': pip install ogb") from error
    if name.startswith('ogbl-'):
        loader = ogb.linkproppred.LinkPropPredDataset
    elif name.startswith('ogbn-'):
        loader = ogb.nodeproppred.NodePropPredDataset
    else:
        raise ValueError(
            f"'name' needs to start with 'ogbl-' or 'ogbn-' (got '{name}')"
        )
    with trusted_loading():
        graph = loader(name, root=root)[0]
    if isinstance(graph, tuple):  # Node datasets come with their labels.
        graph = graph[0]
    edge_index: Tensor = torch.from_numpy(graph['edge_index'])
    num_nodes = int(graph['num_nodes'])
    return Graph(name, edge_index, (num_nodes, num_nodes))


@contextlib.contextmanager
def trusted_loading() -> Iterator[None]:
    r"""Lets :meth:`torch.load` unpickle anything, for files the user trusts."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = '1'
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before
