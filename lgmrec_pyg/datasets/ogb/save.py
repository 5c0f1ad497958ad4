import copy
import csv
import gzip
import os
import os.path as osp
import tempfile
from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets.ogb.package import (
    MAPPING,
    SPLITS,
    folder_name,
    import_ogb,
    quiet,
)
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    describes,
    get_ids,
    modalities,
    validate_graph,
)

RESERVED = ('file', 'allow_pickle')
README = 'Ids by the indices of nodes: strings in quotation marks, or integers.\n'


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
    leaves behind, and put in its place at the end.

    The format holds features in single precision and no further attributes: a graph
    with others is refused, rather than saved in part. Validation and test pairs that
    a graph lacks are read back as empty.

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
    for node_type in (USER, ITEM):
        get_ids(data, node_type)
    left_out = _left_out(data)
    if left_out:
        raise ValueError(
            f'The graph needs to be as it is before transforms, since the format of '
            f'OGB has no place for {left_out}'
        )
    if osp.lexists(folder) and not overwrite:
        raise FileExistsError(f"'{folder}' exists: pass 'overwrite=True' to replace it")
    os.makedirs(root, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.ogbl_', dir=root) as partial:
        written = _write(data, name, partial, folder)
        for parent, _, names in os.walk(written):
            for path in names:
                with open(osp.join(parent, path), 'rb+') as file:
                    os.fsync(file.fileno())
        aside = osp.join(partial, 'replaced')
        if osp.lexists(folder):
            os.rename(folder, aside)
        try:
            os.rename(written, folder)
        except OSError:
            if osp.lexists(aside):
                os.rename(aside, folder)
            raise
    return folder


def _left_out(data: HeteroData) -> list[str]:
    held: dict[Any, set[str]] = {key: {'num_nodes', 'ids'} for key in (USER, ITEM)}
    held[INTERACTS] = set(SPLITS.values())
    out = []
    for modality in modalities(data):
        held[modality] = {'x', 'num_nodes'}
        held[describes(modality)] = {'edge_index'}
        if data[modality].x.dtype != torch.float32:
            out.append(f"{data[modality].x.dtype} of '{modality}'")
        # OGB joins the names of edge types, and passes those of node types on as
        # the names of arguments:
        parts = '___'.join(describes(modality)).split('___')
        if parts != [*describes(modality)] or modality in RESERVED:
            out.append(f"the name of '{modality}'")
    keys = ['graph', *data.node_types, *data.edge_types]
    for key, store in zip(keys, data.stores, strict=True):
        further = set(store.keys()) - held.get(key, set())
        out += [f"'{name}' of '{key}'" for name in sorted(further)]
    return out


def _write(data: HeteroData, name: str, partial: str, folder: str) -> str:
    mapping = _write_mapping(data, partial)
    data = copy.copy(data).cpu().detach()
    edges, x = data.collect('edge_index'), data.collect('x', allow_empty=True)
    graph = {
        'edge_index_dict': {key: index.numpy() for key, index in edges.items()},
        'num_nodes_dict': {key: int(data[key].num_nodes) for key in data.node_types},
        'node_feat_dict': {key: rows.numpy() for key, rows in x.items()} or None,
    }
    with quiet():
        root = osp.join(partial, 'submission')
        saver = import_ogb('io').DatasetSaver(name, True, 1, root=root)
        written: str = saver.dataset_dir
        saver.save_graph_list([graph])
        saver.save_split(_to_split(data), 'default')
        saver.copy_mapping_dir(mapping)
        saver.save_task_info('link prediction', 'recall@20')
        # The meta information names where the dataset will be, not where it is:
        saver.meta_dict_path = osp.join(written, 'meta_dict.pt')
        saver.dataset_dir = folder
        saver.get_meta_dict()
    return written


def _to_split(data: HeteroData) -> dict[str, dict[str, Any]]:
    out = {}
    for split, key in SPLITS.items():
        users, items = data[INTERACTS].get(key, torch.empty(2, 0).long()).numpy()
        out[split] = {
            'head_type': [USER] * len(users),
            'head': users,
            'relation': np.zeros_like(users),
            'tail_type': [ITEM] * len(items),
            'tail': items,
        }
    return out


def _write_mapping(data: HeteroData, folder: str) -> str:
    os.mkdir(osp.join(folder, 'mapping'))
    with open(osp.join(folder, 'mapping', 'README.md'), 'w') as file:
        file.write(README)
    for node_type in (USER, ITEM):
        if 'ids' in data[node_type]:
            path = osp.join(folder, MAPPING.format(node_type))
            with gzip.open(path, 'wt', encoding='utf-8', newline='') as file:
                writer = csv.writer(file, 'unix', quoting=csv.QUOTE_NONNUMERIC)
                writer.writerow(['ent idx', 'ent name'])
                writer.writerows(enumerate(get_ids(data, node_type) or []))
    return osp.join(folder, 'mapping')
