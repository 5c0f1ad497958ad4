import gzip
import os

import pytest
import torch

from benchmarks.ogb_graphs import SWITCH, ogb_graph, trusted_loading


def write_raw(folder, **files: str) -> None:
    (folder / 'raw').mkdir(parents=True)
    (folder / 'processed').mkdir()
    (folder / 'RELEASE_v1.txt').touch()
    for name, text in files.items():
        with gzip.open(folder / 'raw' / f'{name}.csv.gz', 'wt') as file:
            file.write(text)


def test_trusted_loading_restores_the_environment():
    before = os.environ.get(SWITCH)
    with trusted_loading():
        assert os.environ[SWITCH] == '1'
    assert os.environ.get(SWITCH) == before


def test_trusted_loading_unpickles_what_torch_refuses(tmp_path):
    path = tmp_path / 'object.pt'
    torch.save({'path': tmp_path}, path)
    with pytest.raises(Exception, match=r'weights_only|Weights only'):
        torch.load(path)
    with trusted_loading():
        assert torch.load(path) == {'path': tmp_path}


def test_ogb_graph_reads_a_downloaded_dataset_and_its_cache(tmp_path):
    pytest.importorskip('ogb')
    write_raw(
        tmp_path / 'ogbl_collab',
        **{
            'edge': '0,1\n1,2\n0,3\n',
            'num-node-list': '5\n',
            'num-edge-list': '3\n',
            'edge_weight': '1\n1\n1\n',
            'edge_year': '2000\n2001\n2002\n',
        },
    )
    first = ogb_graph('ogbl-collab', str(tmp_path))
    assert (tmp_path / 'ogbl_collab' / 'processed' / 'data_processed').exists()
    second = ogb_graph('ogbl-collab', str(tmp_path))
    for graph in (first, second):
        assert graph.size == (5, 5)
        pairs = graph.edge_index.t().tolist()
        assert sorted(pairs) == [[0, 1], [0, 3], [1, 0], [1, 2], [2, 1], [3, 0]]


def test_ogb_graph_refuses_other_names(tmp_path):
    pytest.importorskip('ogb')
    with pytest.raises(ValueError, match=r"'ogbl-' or 'ogbn-' \(got 'collab'\)"):
        ogb_graph('collab', str(tmp_path))
