import gzip
import os
import os.path as osp
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from lgmrec_pyg.datasets.ogb.mapping import mapping_path, read_ids
from lgmrec_pyg.datasets.ogb.package import import_ogb, quiet
from lgmrec_pyg.datasets.ogb.pairs import SPLITS, read_pairs
from lgmrec_pyg.datasets.ogb.save import folder_name
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, describes, validate_graph

DAMAGE = (
    AssertionError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
)


def load_ogb(root: str, name: str, interactions: EdgeType | None = None) -> HeteroData:
    r"""Loads a heterogeneous link prediction dataset in the format of the Open
    Graph Benchmark as a multimodal interaction graph: to the bit, if
    :meth:`save_ogb` wrote it.

    Other datasets are read as follows. The node types which
    :obj:`interactions` links become users and items, and its pairs in the split
    become training, validation and test pairs, whether they are stored as
    :obj:`head` and :obj:`tail`, as :obj:`source_node` and :obj:`target_node`, or
    as :obj:`edge`. Node types linked by :obj:`(modality, "describes", <item>)`
    become modalities, and features of the items the modality :obj:`"node_feat"`.
    Other edges and features are left out with a warning. So are negative
    samples, since evaluation ranks all items. Homogeneous datasets, which do not
    tell users from items, are refused.

    .. note::

        The folder is only read. Nothing is downloaded, no archive is extracted,
        and caches of :obj:`ogb` are not used.

    Args:
        root (str): The directory of datasets, which holds the dataset as either
            :obj:`ogbl_<name>` or :obj:`submission_ogbl_<name>/<name>`.
        name (str): The name of the dataset, *e.g.*, :obj:`"ogbl-clothing"`.
        interactions (Tuple[str, str, str], optional): The edge type of the
            interactions. If set to :obj:`None`, will use
            :obj:`("user", "interacts", "item")`, or else the only one there is.
            (default: :obj:`None`)

    Raises:
        FileNotFoundError: If the folder or a file in it is missing.
        ImportError: If :obj:`ogb` is not installed.
        ValueError: If a file is malformed or holds more than arrays in plain
            containers, or if there are no such interactions.
    """
    folder = _find(osp.expanduser(root), name)
    graph = _read_graph(osp.join(folder, 'raw'))
    edge_type = _choose(graph, interactions, folder)
    data = HeteroData()
    for node_type, source in ((USER, edge_type[0]), (ITEM, edge_type[2])):
        data[node_type].num_nodes = graph['num_nodes_dict'][source]
        path = mapping_path(folder, source)
        if osp.isfile(path):
            data[node_type].ids = read_ids(path, data[node_type].num_nodes)
    relation = _relation(graph, edge_type)
    pairs = read_pairs(osp.join(folder, 'split'), edge_type, relation)
    for split, key in SPLITS.items():
        data[INTERACTS][key] = pairs[split]
    left_out = _add_modalities(data, graph, edge_type)
    if left_out:
        warnings.warn(
            f"'{folder}' holds more than users, items, interactions and modalities, "
            f'which is left out: {left_out}',
            stacklevel=2,
        )
    validate_graph(data)
    return data


def _find(root: str, name: str) -> str:
    folder = folder_name(name)
    nested = osp.join(f'submission_{folder}', folder.removeprefix('ogbl_'))
    paths = [osp.join(root, folder), osp.join(root, nested)]
    for path in paths:
        if osp.isdir(path):
            return path
    raise FileNotFoundError(f"Dataset '{name}' needs to be in one of {paths}")


def _read_graph(raw: str) -> dict[str, Any]:
    readers = import_ogb('io.read_graph_raw')
    files, options = os.listdir(raw), {}
    if 'edge_index_dict.npz' in files:
        reader = readers.read_binary_heterograph_raw
    elif 'triplet-type-list.csv.gz' in files:
        reader = readers.read_csv_heterograph_raw
        if any('edge_reltype.csv.gz' in names for *_, names in os.walk(raw)):
            options['additional_edge_files'] = ['edge_reltype']
    elif 'data.npz' in files or 'edge.csv.gz' in files:
        raise ValueError(
            f"'{raw}' needs to hold a heterogeneous graph of OGB, since a "
            f'homogeneous one does not tell users from items'
        )
    else:
        raise FileNotFoundError(f"'{raw}' needs to hold a graph of OGB (got {files})")
    try:
        with quiet():
            graph: dict[str, Any] = reader(raw, **options)[0]
        ends = {end for key in graph['edge_index_dict'] for end in key[::2]}
        counts = graph['num_nodes_dict']
        graph['num_nodes_dict'] = {end: int(counts[end]) for end in ends}
        if 'node_feat_dict.npz' in files:
            # The reader sorts modalities, but models may anchor on the first:
            with np.load(osp.join(raw, 'node_feat_dict.npz')) as stored:
                order = stored.files
            features = graph['node_feat_dict']
            graph['node_feat_dict'] = {key: features[key] for key in order}
    except DAMAGE as error:
        raise ValueError(
            f"'{raw}' needs to hold a complete graph of OGB ({error})"
        ) from error
    return graph


def _choose(
    graph: dict[str, Any], interactions: EdgeType | None, folder: str
) -> EdgeType:
    edge_types = list(graph['edge_index_dict'])
    if interactions is None:
        interactions = edge_types[0] if len(edge_types) == 1 else INTERACTS
    if interactions not in edge_types or interactions[0] == interactions[2]:
        raise ValueError(
            f"'interactions' needs to be an edge type of '{folder}' between two node "
            f'types (got {interactions}, while there are {edge_types})'
        )
    return interactions


def _relation(graph: dict[str, Any], edge_type: EdgeType) -> int | None:
    relations = graph.get('edge_reltype', {}).get(edge_type)
    if relations is not None and relations.size > 0:
        return int(relations.flat[0])
    ends = [(src, dst) for src, _, dst in graph['edge_index_dict']]
    if ends.count((edge_type[0], edge_type[2])) > 1:
        raise ValueError(
            f"'interactions' needs to be the only edge type between its node types, "
            f"or the dataset needs to hold 'edge_reltype' (got {edge_type})"
        )
    return None


def _add_modalities(
    data: HeteroData, graph: dict[str, Any], edge_type: EdgeType
) -> list[Any]:
    edges, item = dict(graph['edge_index_dict']), edge_type[2]
    features = dict(graph['node_feat_dict'] or {})
    del edges[edge_type]
    for name in list(features):
        if name not in (USER, ITEM) and (name, 'describes', item) in edges:
            data[name].x = torch.from_numpy(features.pop(name))
            index = torch.from_numpy(edges.pop((name, 'describes', item)))
            data[describes(name)].edge_index = index
    if item in features:
        data['node_feat'].x = torch.from_numpy(features.pop(item))
        index = torch.arange(data[ITEM].num_nodes).repeat(2, 1)
        data[describes('node_feat')].edge_index = index
    used = {'edge_index_dict', 'num_nodes_dict', 'node_feat_dict', 'edge_reltype'}
    further = [key for key in graph if key not in used and graph[key] is not None]
    return [*edges, *features, *further]
