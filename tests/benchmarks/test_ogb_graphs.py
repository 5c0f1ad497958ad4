import gzip

import pytest

from benchmarks.ogb_graphs import ogb_graph

pytest.importorskip('ogb')


def write_raw(folder, **files: str) -> None:
    (folder / 'raw').mkdir(parents=True)
    (folder / 'processed').mkdir()
    (folder / 'RELEASE_v1.txt').touch()
    for name, text in files.items():
        with gzip.open(folder / 'raw' / f'{name}.csv.gz', 'wt') as file:
            file.write(text)


def test_ogb_graph_reads_a_downloaded_link_dataset_and_its_cache(tmp_path):
    write_raw(
        tmp_path / 'ogbl_collab',
        **{
            'edge': '0,1\n1,2\n0,3\n',
            'num-node-list': '5\n',
            'num-edge-list': '3\n',
            'node-feat': '0.5\n1.5\n2.5\n3.5\n4.5\n',
            'edge_weight': '1\n1\n1\n',
            'edge_year': '2000\n2001\n2002\n',
        },
    )
    first = ogb_graph('ogbl-collab', str(tmp_path))
    cache = tmp_path / 'ogbl_collab' / 'processed' / 'geometric_data_processed.pt'
    assert cache.exists()
    second = ogb_graph('ogbl-collab', str(tmp_path))
    for graph in (first, second):
        assert graph.size == (5, 5)
        pairs = graph.edge_index.t().tolist()
        assert sorted(pairs) == [[0, 1], [0, 3], [1, 0], [1, 2], [2, 1], [3, 0]]


def test_ogb_graph_reads_a_downloaded_node_dataset(tmp_path):
    write_raw(
        tmp_path / 'ogbn_arxiv',
        **{
            'edge': '0,1\n1,2\n',
            'num-node-list': '3\n',
            'num-edge-list': '2\n',
            'node-feat': '0.5\n1.5\n2.5\n',
            'node-label': '0\n1\n0\n',
            'node_year': '2000\n2001\n2002\n',
        },
    )
    for _ in range(2):
        graph = ogb_graph('ogbn-arxiv', str(tmp_path))
        assert graph.size == (3, 3)
        assert graph.edge_index.tolist() == [[0, 1], [1, 2]]


def test_ogb_graph_refuses_heterogeneous_datasets(tmp_path):
    folder = tmp_path / 'ogbl_biokg'
    write_raw(
        folder,
        **{
            'num-node-dict': 'drug,protein\n1,2\n',
            'triplet-type-list': 'drug,hits,protein\n',
        },
    )
    relation = folder / 'raw' / 'relations' / 'drug___hits___protein'
    relation.mkdir(parents=True)
    for name, text in {
        'edge': '0,1\n',
        'num-edge-list': '1\n',
        'edge_reltype': '0\n',
    }.items():
        with gzip.open(relation / f'{name}.csv.gz', 'wt') as file:
            file.write(text)
    with pytest.raises(ValueError, match=r"homogeneous graph \(got 'ogbl-biokg'\)"):
        ogb_graph('ogbl-biokg', str(tmp_path))


def test_ogb_graph_refuses_other_names(tmp_path):
    with pytest.raises(ValueError, match=r"'ogbl-' or 'ogbn-' \(got 'collab'\)"):
        ogb_graph('collab', str(tmp_path))
