import pytest
import torch

from benchmarks import spmm
from benchmarks.graphs import compress, power_law_graph
from benchmarks.plot import read_rows
from benchmarks.spmm_candidates import kernels

CANDIDATES = kernels('cpu')


@pytest.mark.parametrize('kernel', CANDIDATES)
def test_candidates_are_equal(kernel):
    graph = power_law_graph(400, 60, 40)
    adj, reverse = (
        compress(graph, torch.int64, torch.float32, flag) for flag in (False, True)
    )
    x = torch.randn(60, 8)
    dense = adj.to_dense()
    forward = spmm.make_call(kernel, adj, reverse, x, backward=False)()
    assert torch.allclose(forward, dense @ x, atol=1e-5)
    (grad,) = spmm.make_call(kernel, adj, reverse, x, backward=True)()
    assert torch.allclose(grad, dense.t() @ torch.ones(40, 8), atol=1e-5)


def test_traffic():
    graph = power_law_graph(400, 60, 40)
    adj = compress(graph, torch.int32, torch.float32, reverse=False)
    x = torch.randn(60, 8)
    structure = 41 * 4 + 400 * 4 + 400 * 4
    assert spmm.gathered_bytes(adj, x) == structure + (400 + 40) * 8 * 4
    assert spmm.compulsory_bytes(adj, x) == structure + (60 + 40) * 8 * 4


def test_main(tmp_path, capsys):
    arguments = '--quick --graphs --sizes 2000 --widths 4 --budget 0 --no-plots'
    spmm.main(['--device', 'cpu', '--output', str(tmp_path), *arguments.split()])
    rows = read_rows(str(tmp_path / 'spmm.csv'))
    assert {row['candidate'] for row in rows} == set(CANDIDATES)
    assert {row['pass'] for row in rows} == set(spmm.PASSES)
    row = rows[0]
    nanoseconds = 1e6 * float(row['median_ms']) / int(row['edges'])
    assert float(row['ns_per_edge']) == pytest.approx(nanoseconds, rel=1e-3)
    assert 'within 5 % of the fastest' in capsys.readouterr().out
