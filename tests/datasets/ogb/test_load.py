import gzip
import os
import shutil

import numpy as np
import pytest
import torch
from graphs import irregular_graph

from lgmrec_pyg.datasets.ogb import load_ogb, save_ogb
from lgmrec_pyg.graph import INTERACTS, describes, get_ids

pytest.importorskip('ogb')

READS = ('reader', 'reads', 'book')


class Payload:
    r"""Creates a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def as_edge(pairs: np.ndarray) -> dict:
    return {'edge': pairs.T}


def as_ends(pairs: np.ndarray) -> dict:
    return {'source_node': pairs[0], 'target_node': pairs[1]}


def as_triples(pairs: np.ndarray) -> dict:
    return {'head': pairs[0], 'tail': pairs[1], 'head_neg': np.zeros((9, 5))}


def their_dataset(root, is_hetero: bool, graph: dict, form=as_edge) -> None:
    r"""A dataset as the documentation of OGB has others write it."""
    from ogb.io import DatasetSaver

    saver = DatasetSaver('ogbl-books', is_hetero, 1, root=str(root / 'submission'))
    saver.save_graph_list([graph])
    split = {
        'train': form(np.array([[0, 0, 2], [1, 0, 1]])),
        'valid': form(np.array([[2], [0]])),
        'test': form(np.array([[1, 0], [1, 2]])),
    }
    saver.save_split(split, 'time')
    (root / 'mapping').mkdir()
    (root / 'mapping' / 'README.md').write_text('none')
    saver.copy_mapping_dir(str(root / 'mapping'))
    saver.save_task_info('link prediction', 'mrr')
    saver.get_meta_dict()


def reads_graph() -> dict:
    return {
        'edge_index_dict': {READS: np.array([[0, 0, 2], [1, 0, 1]])},
        'num_nodes_dict': {'reader': 4, 'book': 3},
    }


@pytest.mark.parametrize('form', [as_edge, as_ends, as_triples])
def test_load_ogb_reads_datasets_of_others(tmp_path, form):
    their_dataset(tmp_path, True, reads_graph(), form)
    data = load_ogb(str(tmp_path), 'ogbl-books')
    assert data.node_types == ['user', 'item']
    assert data['user'].num_nodes == 4
    assert data['item'].num_nodes == 3
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 2], [1, 0, 1]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[2], [0]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[1, 0], [1, 2]]


def test_load_ogb_turns_features_of_items_into_a_modality(tmp_path):
    graph = reads_graph()
    x = np.array([[0.5], [1.5], [2.5]], dtype=np.float32)
    graph['node_feat_dict'] = {'book': x, 'reader': np.ones((4, 2), dtype=np.float32)}
    graph['edge_year'] = {READS: np.array([1, 2, 3])}
    their_dataset(tmp_path, True, graph)
    with pytest.warns(UserWarning, match=r"left out: \['reader', 'edge_year'\]"):
        data = load_ogb(str(tmp_path), 'ogbl-books')
    assert data['node_feat'].x.tolist() == x.tolist()
    edge_index = data[describes('node_feat')].edge_index
    assert edge_index.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_load_ogb_needs_to_be_told_between_several_interactions(tmp_path):
    graph = reads_graph()
    graph['edge_index_dict']['book', 'cites', 'book'] = np.array([[0], [1]])
    their_dataset(tmp_path, True, graph)
    with pytest.raises(ValueError, match=r"'interactions' needs .* while there are"):
        load_ogb(str(tmp_path), 'ogbl-books')
    with pytest.raises(ValueError, match=r'between two node types'):
        load_ogb(str(tmp_path), 'ogbl-books', ('book', 'cites', 'book'))
    with pytest.warns(UserWarning, match=r"left out: \[\('book', 'cites', 'book'\)\]"):
        data = load_ogb(str(tmp_path), 'ogbl-books', READS)
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 2], [1, 0, 1]]


def test_load_ogb_refuses_homogeneous_datasets(tmp_path):
    graph = {'edge_index': np.array([[0, 1], [1, 2]]), 'num_nodes': 3}
    their_dataset(tmp_path, False, graph)
    with pytest.raises(ValueError, match=r"raw' needs to be a complete"):
        load_ogb(str(tmp_path), 'ogbl-books')


def write_csv(folder, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f'{name}.csv.gz', 'wt') as file:
        file.write(text)


def biokg(root) -> None:
    r"""The layout of ogbl-biokg: two relations from drugs to proteins."""
    raw = root / 'ogbl_biokg' / 'raw'
    write_csv(raw, 'num-node-dict', 'drug,protein\n3,4\n')
    write_csv(raw, 'triplet-type-list', 'drug,binds,protein\ndrug,hits,protein\n')
    for i, (name, edges) in enumerate({'binds': '0,0\n1,2\n', 'hits': '2,3\n'}.items()):
        folder = raw / 'relations' / f'drug___{name}___protein'
        write_csv(folder, 'edge', edges)
        write_csv(folder, 'num-edge-list', f'{edges.count(",")}\n')
        write_csv(folder, 'edge_reltype', f'{i}\n' * edges.count(','))
    write_csv(root / 'ogbl_biokg' / 'mapping', 'drug_entidx2name', 'i,n\n0,A\n1,B\n2,C')
    heads, relations, tails = [0, 2, 1, 0], [0, 1, 0, 0], [0, 3, 2, 1]
    folder = root / 'ogbl_biokg' / 'split' / 'random'
    folder.mkdir(parents=True)
    for split, rows in {'train': [0, 1, 2], 'valid': [3], 'test': []}.items():
        part = {'head_type': ['drug'] * len(rows), 'tail_type': ['protein'] * len(rows)}
        for key, column in (('head', heads), ('relation', relations), ('tail', tails)):
            part[key] = np.array([column[row] for row in rows], dtype=np.int64)
        torch.save(part, folder / f'{split}.pt')


def test_load_ogb_reads_a_relation_of_a_knowledge_graph(tmp_path):
    biokg(tmp_path)
    with pytest.warns(UserWarning, match=r"left out: \[\('drug', 'hits', 'protein'\)"):
        data = load_ogb(str(tmp_path), 'ogbl-biokg', ('drug', 'binds', 'protein'))
    assert get_ids(data, 'user') == ['A', 'B', 'C']
    assert data['item'].num_nodes == 4
    assert 'ids' not in data['item']
    assert data[INTERACTS].edge_index.tolist() == [[0, 1], [0, 2]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [1]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[], []]


def test_load_ogb_does_not_guess_between_relations(tmp_path):
    biokg(tmp_path)
    for path in tmp_path.glob('ogbl_biokg/raw/relations/*/edge_reltype.csv.gz'):
        path.unlink()
    with pytest.raises(ValueError, match=r"'edge_reltype' is needed"):
        load_ogb(str(tmp_path), 'ogbl-biokg', ('drug', 'binds', 'protein'))


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('num-node-dict', gzip.compress(b'drug,other\n3,4\n', mtime=0)),
        ('triplet-type-list', gzip.compress(b'drug,binds,\n', mtime=0)),
        ('relations/drug___hits___protein/edge', b'no archive'),
        (
            'relations/drug___hits___protein/edge',
            gzip.compress(b'2,3\n', mtime=0)[:-8] + b'?',
        ),
    ],
)
def test_load_ogb_refuses_damaged_tables(tmp_path, name, content):
    biokg(tmp_path)
    (tmp_path / 'ogbl_biokg' / 'raw' / f'{name}.csv.gz').write_bytes(content)
    with pytest.raises(ValueError, match=r"raw' needs to be a complete"):
        load_ogb(str(tmp_path), 'ogbl-biokg', ('drug', 'binds', 'protein'))


def saved(root):
    save_ogb(irregular_graph(dtype=torch.float32), str(root), 'ogbl-toy')
    return root / 'ogbl_toy'


def test_load_ogb_reads_a_folder_that_was_moved(tmp_path):
    folder = saved(tmp_path)
    (tmp_path / 'elsewhere').mkdir()
    shutil.move(folder, tmp_path / 'elsewhere' / 'ogbl_toy')
    assert load_ogb(str(tmp_path / 'elsewhere'), 'ogbl-toy')['user'].num_nodes == 11


def test_load_ogb_only_reads(tmp_path):
    folder = saved(tmp_path)
    before = sorted(folder.rglob('*'))
    load_ogb(str(tmp_path), 'ogbl-toy')
    assert sorted(folder.rglob('*')) == before


def test_load_ogb_refuses_missing_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'ogbl-toy' needs to be in one of"):
        load_ogb(str(tmp_path), 'ogbl-toy')
    (tmp_path / 'ogbl_toy' / 'raw').mkdir(parents=True)
    with pytest.raises(ValueError, match=r"raw' needs to be a complete"):
        load_ogb(str(tmp_path), 'ogbl-toy')
    with pytest.raises(ValueError, match=r"\(got '../ogbl-toy'\)"):
        load_ogb(str(tmp_path), '../ogbl-toy')


@pytest.mark.parametrize('name', ['edge_index', 'num_edges', 'num_nodes', 'node_feat'])
def test_load_ogb_refuses_damaged_arrays(tmp_path, name):
    path = saved(tmp_path) / 'raw' / f'{name}_dict.npz'
    content = path.read_bytes()
    objects = np.array([Payload(str(tmp_path / 'run'))], dtype=object)
    np.savez(tmp_path / 'objects.npz', image=objects, image___describes___item=objects)
    pickled = (tmp_path / 'objects.npz').read_bytes()
    for damaged in (content[:-30], content[: len(content) // 2], b'', pickled):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"raw' needs to be a complete"):
            load_ogb(str(tmp_path), 'ogbl-toy')
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('name', ['edge_index_dict.npz', 'num_nodes_dict.npz'])
def test_load_ogb_refuses_missing_arrays(tmp_path, name):
    (saved(tmp_path) / 'raw' / name).unlink()
    with pytest.raises(ValueError, match=r"raw' needs to be a complete"):
        load_ogb(str(tmp_path), 'ogbl-toy')


def test_load_ogb_refuses_splits_that_run_code(tmp_path):
    path = saved(tmp_path) / 'split' / 'default' / 'split_dict.pt'
    torch.save({'train': Payload(str(tmp_path / 'run'))}, path)
    with pytest.raises(ValueError, match=r"split_dict.pt' needs to be of pairs"):
        load_ogb(str(tmp_path), 'ogbl-toy')
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    'content',
    [
        [1],
        {'train': {}},
        {'train': {'head': np.array([0])}},
        {'train': as_edge(np.array([[0], [0]]))},
    ],
)
def test_load_ogb_refuses_other_splits(tmp_path, content):
    torch.save(content, saved(tmp_path) / 'split' / 'default' / 'split_dict.pt')
    with pytest.raises(ValueError, match=r"split_dict.pt' needs to be of pairs"):
        load_ogb(str(tmp_path), 'ogbl-toy')


def test_load_ogb_refuses_damaged_or_several_splits(tmp_path):
    folder = saved(tmp_path) / 'split'
    path = folder / 'default' / 'split_dict.pt'
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"split_dict.pt' needs to be of pairs"):
        load_ogb(str(tmp_path), 'ogbl-toy')
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'train.pt'):
        load_ogb(str(tmp_path), 'ogbl-toy')
    (folder / 'time').mkdir()
    with pytest.raises(ValueError, match=r"split' needs to hold a single split"):
        load_ogb(str(tmp_path), 'ogbl-toy')


@pytest.mark.parametrize(
    'damage', [(b'latin1', b'la4in1'), (b'head_type', b'head\x80ty')]
)
def test_load_ogb_refuses_splits_that_are_no_pickle(tmp_path, damage):
    path = saved(tmp_path) / 'split' / 'default' / 'split_dict.pt'
    content = path.read_bytes()
    assert damage[0] in content
    path.write_bytes(content.replace(*damage))
    with pytest.raises(ValueError, match=r"split_dict.pt' needs to be of pairs"):
        load_ogb(str(tmp_path), 'ogbl-toy')


def test_load_ogb_checks_the_graph(tmp_path):
    path = saved(tmp_path) / 'split' / 'default' / 'split_dict.pt'
    pairs = as_edge(np.array([[0, 11], [0, 1]]))
    torch.save(dict.fromkeys(('train', 'valid', 'test'), pairs), path)
    with pytest.raises(ValueError, match=r"'user' indices from 0 to 10 \(got 11"):
        load_ogb(str(tmp_path), 'ogbl-toy')
