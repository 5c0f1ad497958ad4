import os
import os.path as osp
import re
import tempfile
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.ogb.mapping import check_ids, write_mapping
from lgmrec_pyg.datasets.ogb.package import import_ogb, quiet
from lgmrec_pyg.datasets.ogb.pairs import SPLITS, to_split
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    describes,
    modalities,
    training_pairs,
    validate_graph,
)

RESERVED = ('file', 'allow_pickle')


def save_ogb(data: HeteroData, root: str, name: str, overwrite: bool = False) -> str:
    r"""Saves a graph as a heterogeneous link prediction dataset of the `"Open
    Graph Benchmark: Datasets for Machine Learning on Graphs"
    <https://arxiv.org/abs/2005.00687>`_ paper, through the :obj:`DatasetSaver` of
    the :obj:`ogb` package.

    .. code-block:: none

        <root>/ogbl_<name>/raw/*.npz            node counts, edges, features
        <root>/ogbl_<name>/split/default/       pairs as triples, as in ogbl-biokg
        <root>/ogbl_<name>/mapping/*.csv.gz     ids of users and items
        <root>/ogbl_<name>/meta_dict.pt         what the loaders of OGB ask for

    Its loaders know unpublished datasets by their meta information only:

    .. code-block:: python

        folder = save_ogb(data, root, 'ogbl-clothing')
        with allow_ogb_files():
            meta_dict = torch.load(f'{folder}/meta_dict.pt')
            dataset = PygLinkPropPredDataset('ogbl-clothing', meta_dict=meta_dict)
            split_edge = dataset.get_edge_split()

    The folder is written aside, as :obj:`<root>/.ogbl_*`, which a killed writer
    leaves behind, and put in its place at the end. The split and the meta
    information, which :obj:`ogb` writes via :meth:`torch.save`, hold arrays,
    strings and numbers: :meth:`allow_ogb_files` is enough to read them.

    .. note::

        The format holds features in single precision and no further attributes:
        a graph with others is refused, rather than saved in part. Validation and
        test pairs that a graph lacks are read back as empty.

    Args:
        data (HeteroData): The multimodal interaction graph, before transforms.
        root (str): The directory of datasets.
        name (str): The name of the dataset, *e.g.*, :obj:`"ogbl-clothing"`.
        overwrite (bool, optional): Whether to replace the folder in case it
            exists. (default: :obj:`False`)

    Returns:
        str: The path of the folder.

    Raises:
        FileExistsError: If the folder exists, unless :obj:`overwrite` is set.
        ImportError: If :obj:`ogb` is not installed.
        ValueError: If the name, the graph or an id does not fit the format, in
            which case nothing is written.
    """
    import_ogb('io')
    root = osp.abspath(osp.expanduser(root))
    folder = osp.join(root, folder_name(name))
    validate_graph(data)
    check_ids(data)
    _check_fits(data)
    if osp.lexists(folder) and not overwrite:
        raise FileExistsError(f"'{folder}' exists: pass 'overwrite=True' to replace it")
    os.makedirs(root, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.ogbl_', dir=root) as partial:
        written = _write(data, name, partial, folder)
        _sync(written)
        _move(written, folder, aside=osp.join(partial, 'replaced'))
    return folder


def folder_name(name: str) -> str:
    if not re.fullmatch(r'ogbl(-\w+)+', name):
        raise ValueError(
            f"'name' needs to be 'ogbl-' and letters, digits or underscores, such as "
            f"'ogbl-clothing' (got '{name}')"
        )
    return name.replace('-', '_')


def _check_fits(data: HeteroData) -> None:
    held: dict[Any, set[str]] = {key: {'num_nodes', 'ids'} for key in (USER, ITEM)}
    held[INTERACTS] = set(SPLITS.values())
    for modality in modalities(data):
        held[modality] = {'x', 'num_nodes'}
        held[describes(modality)] = {'edge_index'}
        x, joined = data[modality].x, '___'.join(describes(modality))
        if x.dtype != torch.float32:
            raise ValueError(
                f"'x' of node type '{modality}' needs to be in single precision, to "
                f"which OGB would round it (got {x.dtype}): convert it via 'x.float()'"
            )
        # OGB joins the names of edge types, and passes those of node types on as
        # the names of arguments:
        if joined.split('___') != [*describes(modality)] or modality in RESERVED:
            raise ValueError(
                f"Modalities need to be named without '___' and trailing '_', and "
                f"none of {RESERVED} (got '{modality}')"
            )
    keys = ['graph', *data.node_types, *data.edge_types]
    for key, store in zip(keys, data.stores, strict=True):
        further = set(store.keys()) - held.get(key, set())
        if further:
            raise ValueError(
                f'The graph needs to be as it is before transforms, since the format '
                f"of OGB has no place for {sorted(further)} of '{key}'"
            )


def _write(data: HeteroData, name: str, partial: str, folder: str) -> str:
    mapping = write_mapping(data, partial)
    with quiet():
        root = osp.join(partial, 'submission')
        saver = import_ogb('io').DatasetSaver(name, True, 1, root=root)
        written: str = saver.dataset_dir
        saver.save_graph_list([_to_graph(data)])
        saver.save_split(to_split(data), 'default')
        saver.copy_mapping_dir(mapping)
        saver.save_task_info('link prediction', 'recall@20')
        # The meta information names where the dataset will be, not where it is:
        saver.meta_dict_path = osp.join(written, 'meta_dict.pt')
        saver.dataset_dir = folder
        saver.get_meta_dict()
    return written


def _to_graph(data: HeteroData) -> dict[str, Any]:
    names = modalities(data)
    edges = {describes(name): data[describes(name)].edge_index for name in names}
    edges[INTERACTS] = training_pairs(data)
    return {
        'edge_index_dict': {key: _array(value) for key, value in edges.items()},
        'num_nodes_dict': {n: int(data[n].num_nodes) for n in [USER, ITEM, *names]},
        'node_feat_dict': {name: _array(data[name].x) for name in names} or None,
    }


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy()


def _sync(folder: str) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(osp.join(parent, name), 'rb+') as file:
                os.fsync(file.fileno())


def _move(written: str, folder: str, aside: str) -> None:
    if osp.lexists(folder):
        os.rename(folder, aside)
    try:
        os.rename(written, folder)
    except OSError:
        if osp.lexists(aside):
            os.rename(aside, folder)
        raise
