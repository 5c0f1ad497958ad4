from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lgmrec_pyg.graph import BipartiteGraph, ModalityGraph, MultimodalGraph
from lgmrec_pyg.ops import CSR, Adjacency
from lgmrec_pyg.ops.processes import Parallel


def partition(
    inputs: Sequence[Any], here: Parallel
) -> tuple[dict[str, Tensor], MultimodalGraph]:
    r"""The users and items of one process: the edges to them, from all nodes, and the
    features of its items. Degrees stay those of the whole graph.

    Args:
        inputs (Sequence[Any]): The arguments of the model's forward, see
            :func:`~lgmrec_pyg.graph.model_inputs`.
        here (Parallel): The processes.
    """
    x_dict, graph = inputs
    users = here.bounds(graph.interactions.num_users)
    items = here.bounds(graph.interactions.num_items)
    interactions = BipartiteGraph(
        _with_transpose(_rows(graph.interactions.to_item.csr, *items)),
        _with_transpose(_rows(graph.interactions.to_user.csr, *users)),
    )
    own_x, modality = {}, {}
    for name, part in graph.modality.items():
        csr = _rows(part.to_item.csr, *items)
        node, col = csr.col.unique(return_inverse=True)
        own_x[name] = x_dict[name][node]
        size = (csr.size[0], node.numel())
        csr = csr._replace(col=col.to(csr.col.dtype), size=size)
        modality[name] = ModalityGraph(
            _with_transpose(csr),
            part.described[slice(*items)],
            part.user_degree[slice(*users)],
        )
    similar = {
        name: _with_transpose(_rows(adj.csr, *items))
        for name, adj in graph.similar.items()
    }
    return own_x, MultimodalGraph(interactions, modality, similar)


def _rows(csr: CSR, start: int, stop: int) -> CSR:
    # Copies, so that the whole can be freed.
    edges = slice(int(csr.rowptr[start]), int(csr.rowptr[stop]))
    rowptr = csr.rowptr[start : stop + 1] - csr.rowptr[start]
    value = None if csr.value is None else csr.value[edges].clone()
    return CSR(rowptr, csr.col[edges].clone(), value, (stop - start, csr.size[1]))


def _with_transpose(csr: CSR) -> Adjacency:
    return Adjacency(csr, csr.t())
