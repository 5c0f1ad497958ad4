r"""Graphs of the Open Graph Benchmark, for users who have them."""

from benchmarks.graphs import Graph
from lgmrec_pyg.datasets.ogb.package import allow_ogb_files, import_ogb


def ogb_graph(name: str, root: str) -> Graph:
    r"""Loads a homogeneous link or node dataset through the :obj:`ogb` package,
    which downloads it if :obj:`root` does not hold it yet.

    Args:
        name (str): The name, *e.g.*, :obj:`"ogbl-collab"` or
            :obj:`"ogbn-products"`.
        root (str): The folder of downloaded datasets.

    Raises:
        ImportError: If :obj:`ogb` is not installed.
        ValueError: If the name is neither, or that of a heterogeneous graph.
    """
    if name.startswith('ogbl-'):
        loader = import_ogb('linkproppred').PygLinkPropPredDataset
    elif name.startswith('ogbn-'):
        loader = import_ogb('nodeproppred').PygNodePropPredDataset
    else:
        raise ValueError(
            f"'name' needs to start with 'ogbl-' or 'ogbn-' (got '{name}')"
        )
    with allow_ogb_files():
        data = loader(name, root=root)[0]
    if 'edge_index' not in data:
        raise ValueError(f"'name' needs to name a homogeneous graph (got '{name}')")
    num_nodes = int(data.num_nodes)
    return Graph(name, data.edge_index, (num_nodes, num_nodes))
