import csv
import gzip
import io
import os
import os.path as osp
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from lgmrec_pyg.datasets.ogb.package import (
    MAPPING,
    SPLITS,
    allow_ogb_files,
    folder_name,
    import_ogb,
    quiet,
)
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    USER,
    IdMap,
    describes,
    set_ids,
    validate_graph,
)
from lgmrec_pyg.storage import reading

# As in ogbl-biokg and in ogbl-citation2:
ENDS = {'head': 'tail', 'source_node': 'target_node'}


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

    The folder is only read: nothing is downloaded, no archive is extracted, and
    caches of :obj:`ogb` are not used.

    Args:
        root (str): The directory of datasets, which holds the dataset as either
            :obj:`ogbl_<name>` or :obj:`submission_ogbl_<name>/<name>`.
        name (str): The name of the dataset, *e.g.*, :obj:`"ogbl-clothing"`.
        interactions (Tuple[str, str, str], optional): The edge type of the
            interactions. If set to :obj:`None`, will use
            :obj:`("user", "interacts", "item")`, or else the only one there is.
            (default: :obj:`None`)

    Raises:
        FileNotFoundError: If the folder is missing.
        ImportError: If :obj:`ogb` is not installed.
        ValueError: If a file is malformed or holds more than arrays in plain
            containers, or if there are no such interactions.
    """
    folder = _find(osp.expanduser(root), name)
    graph = _read_graph(osp.join(folder, 'raw'))
    edge_type = _choose(graph, interactions)
    data = HeteroData()
    for node_type, source in ((USER, edge_type[0]), (ITEM, edge_type[2])):
        data[node_type].num_nodes = graph['num_nodes_dict'][source]
        path = osp.join(folder, MAPPING.format(source))
        if osp.isfile(path):
            set_ids(data, node_type, _read_ids(path, data[node_type].num_nodes))
    relation = _relation(graph, edge_type)
    pairs = _read_pairs(osp.join(folder, 'split'), edge_type, relation)
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
    for path in filter(osp.isdir, paths):
        return path
    raise FileNotFoundError(f"Dataset '{name}' needs to be in one of {paths}")


def _read_graph(raw: str) -> dict[str, Any]:
    readers = import_ogb('io.read_graph_raw')
    needs = 'a complete heterogeneous graph of OGB, which tells users from items'
    with reading(raw, needs), quiet():
        if osp.isfile(osp.join(raw, 'edge_index_dict.npz')):
            graph: dict[str, Any] = readers.read_binary_heterograph_raw(raw)[0]
        else:
            names = [name for *_, names in os.walk(raw) for name in names]
            further = ['edge_reltype'] * ('edge_reltype.csv.gz' in names)
            graph = readers.read_csv_heterograph_raw(raw, False, [], further)[0]
        ends = {end for key in graph['edge_index_dict'] for end in key[::2]}
        counts = graph['num_nodes_dict']
        graph['num_nodes_dict'] = {end: int(counts[end]) for end in ends}
        path = osp.join(raw, 'node_feat_dict.npz')
        if osp.isfile(path):
            # The reader sorts modalities, but models may anchor on the first:
            with np.load(path) as stored:
                features = graph['node_feat_dict']
                graph['node_feat_dict'] = {key: features[key] for key in stored.files}
    return graph


def _choose(graph: dict[str, Any], interactions: EdgeType | None) -> EdgeType:
    edge_types = list(graph['edge_index_dict'])
    if interactions is None:
        interactions = edge_types[0] if len(edge_types) == 1 else INTERACTS
    if interactions not in edge_types or interactions[0] == interactions[2]:
        raise ValueError(
            f"'interactions' needs to be an edge type between two node types (got "
            f'{interactions}, while there are {edge_types})'
        )
    return interactions


def _relation(graph: dict[str, Any], edge_type: EdgeType) -> int | None:
    relations = graph.get('edge_reltype', {}).get(edge_type)
    if relations is not None and relations.size > 0:
        return int(relations.flat[0])
    ends = [(src, dst) for src, _, dst in graph['edge_index_dict']]
    if ends.count((edge_type[0], edge_type[2])) > 1:
        raise ValueError(
            f"{edge_type} and others link the same node types: 'edge_reltype' is needed"
        )
    return None


def _read_ids(path: str, num_nodes: int) -> list[Any]:
    with (
        reading(path, f'a map of {num_nodes} indices to unique ids'),
        gzip.open(path, 'rt', encoding='utf-8', newline='') as file,
    ):
        body = file.read().partition('\n')[2]
        rows = [row for row in csv.reader(io.StringIO(body, newline='')) if row]
        names = {int(row[0]): row[1] for row in rows}
        ids: list[Any] = [names[index] for index in range(len(rows))]
        # Integers are not quoted:
        if '"' not in body and all(x.lstrip('-').isdecimal() for x in ids):
            numbers = list(map(int, ids))
            ids = numbers if list(map(str, numbers)) == ids else ids
        if len(ids) != num_nodes:
            raise ValueError(f'got {len(ids)}')
        return IdMap(ids).ids


def _read_pairs(
    folder: str, edge_type: EdgeType, relation: int | None
) -> dict[str, Tensor]:
    names = os.listdir(folder)
    if len(names) != 1:
        raise ValueError(f"'{folder}' needs to hold a single split (got {names})")
    whole = osp.join(folder, names[0], 'split_dict.pt')
    out = {}
    for split in SPLITS:
        path = osp.join(folder, names[0], f'{split}.pt')
        path = whole if osp.isfile(whole) else path
        needs = (
            "of pairs: 'head' and 'tail', 'source_node' and 'target_node', or 'edge'"
        )
        with reading(path, needs), allow_ogb_files():
            part = torch.load(path, map_location='cpu', weights_only=True)
            part = part[split] if path == whole else part
            out[split] = _to_pairs(part, edge_type, relation)
    return out


def _to_pairs(
    part: dict[str, Any], edge_type: EdgeType, relation: int | None
) -> Tensor:
    if 'edge' in part:
        return torch.as_tensor(part['edge']).t().contiguous()
    (key,) = ENDS.keys() & part.keys()
    pairs = torch.stack([torch.as_tensor(part[name]) for name in (key, ENDS[key])])
    mask = torch.ones(pairs.size(1), dtype=torch.bool)
    if 'head_type' in part:
        ends = zip(part['head_type'], part['tail_type'], strict=True)
        mask &= torch.tensor([pair == edge_type[::2] for pair in ends]).bool()
    if relation is not None:
        mask &= torch.as_tensor(part['relation']) == relation
    return pairs[:, mask]


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
