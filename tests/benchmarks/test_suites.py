import importlib

import pytest
import torch
from graphs import irregular_graph

from benchmarks.plot import read_rows

SIDES = {'reference', 'library', 'library bf16'}
SUITES = {
    'hypergraph': ('--nodes 200 --hyperedges 8 --per-node 2', {'dense', 'scatter'}),
    'contrast': ('--nodes 300 --batch 20', {'plain', 'chunked', 'stored'}),
    'attention': ('--sizes 500 --heads 2', {'library', 'gathered', 'pyg'}),
    'train_step': ('--setting small --batch-size 512', SIDES),
    'epoch': ('--setting small --rounds 1', SIDES),
}


@pytest.mark.parametrize('suite', SUITES)
def test_suite_writes_table_and_plots(tmp_path, monkeypatch, suite):
    pytest.importorskip('matplotlib')
    monkeypatch.delenv('LGMREC_DATA', raising=False)
    arguments, candidates = SUITES[suite]
    command = ['--quick', '--device', 'cpu', '--budget', '0', *arguments.split()]
    main = importlib.import_module(f'benchmarks.{suite}').main
    main([*command, '--output', str(tmp_path)])
    rows = read_rows(str(tmp_path / f'{suite}.csv'))
    assert {row['candidate'] for row in rows} >= candidates
    assert all(float(row['median_ms']) > 0 for row in rows if not row['error'])
    assert list(tmp_path.glob(f'{suite}_*.png'))


def test_profile_writes_a_trace_of_each_candidate(tmp_path):
    from benchmarks import hypergraph

    command = ['--device', 'cpu', '--quick', '--budget', '0', '--no-plots']
    command += ['--nodes', '99', '--hyperedges', '8', '--per-node', '2']
    hypergraph.main([*command, '--output', str(tmp_path), '--profile', str(tmp_path)])
    names = {path.stem.rsplit('_', 1)[1] for path in tmp_path.glob('*.json')}
    assert names == {'dense', 'scatter'}


def test_gathered_attention_is_that_of_the_layer():
    from benchmarks.attention import gathered
    from lgmrec_pyg.graph import model_inputs
    from lgmrec_pyg.nn import EdgeAttention

    data = irregular_graph()
    layer, x = EdgeAttention(8, heads=2).double(), torch.randn(20, 8).double()
    inputs = *x.split([11, 9]), model_inputs(data)[1].interactions
    for a, b in zip(layer(*inputs), gathered(layer, *inputs), strict=True):
        torch.testing.assert_close(a, b)


def test_memory_suite(tmp_path, monkeypatch):
    monkeypatch.delenv('LGMREC_DATA', raising=False)
    from benchmarks import memory

    command = ['--quick', '--device', 'cpu', '--sides', 'library', '--no-plots']
    memory.main([*command, '--threads', '1', '--output', str(tmp_path)])
    (row,) = read_rows(str(tmp_path / 'memory.csv'))
    sizes = [float(row[key]) for key in ('imported_mib', 'ready_mib', 'train_mib')]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize('kind', ['parquet', 'csv'])
def test_ingest_suite(tmp_path, kind):
    pytest.importorskip('pyarrow')
    from benchmarks import ingest

    command = ['--rows', '3000', '--format', kind, '--threads', '1', '--no-plots']
    command += ['--candidates', 'stream', 'whole']
    ingest.main([*command, '--output', str(tmp_path)])
    stream, whole = read_rows(str(tmp_path / 'ingest.csv'))
    assert (stream['candidate'], whole['candidate']) == ('stream', 'whole')
    for name in ('users', 'items', 'pairs'):
        assert stream[name] == whole[name]
    assert 0 < int(stream['pairs']) < 3000  # Some repeat.
    # Each in a process of its own, which starts with libraries alone.
    for row in (stream, whole):
        assert float(row['peak_mib']) > float(row['imported_mib']) > 0


def test_sampled_suite(tmp_path, monkeypatch):
    monkeypatch.delenv('LGMREC_DATA', raising=False)
    from benchmarks import sampled

    command = ['--quick', '--device', 'cpu', '--seeds', '1', '--no-plots']
    sampled.main([*command, '--presets', 'recommended', '--output', str(tmp_path)])
    whole, part = read_rows(str(tmp_path / 'sampled.csv'))
    assert (whole['mode'], part['mode']) == ('whole', 'sampled')
    assert float(part['Recall@20']) > 0.9 * float(whole['Recall@20']) > 0.5


def test_large_batch_suite(tmp_path):
    from benchmarks import large_batch

    command = ['--quick', '--device', 'cpu', '--no-plots', '--output', str(tmp_path)]
    command += ['--epochs', '1', '--factors', '1', '4', '--rules', 'root', 'linear']
    large_batch.main(command)
    rows = read_rows(str(tmp_path / 'large_batch.csv'))
    assert [(row['candidate'], row['batch']) for row in rows] == [
        ('root', '2048'),
        ('root', '8192'),
        ('linear', '8192'),
    ]
    assert all(0 < float(row['recall']) < 1 for row in rows)


def test_propagated_features_are_those_of_every_step(tmp_path):
    from benchmarks import propagated_features
    from benchmarks.scale.worker import make_graph
    from lgmrec_pyg.graph import model_inputs

    x_dict, graph = model_inputs(make_graph(2000, seed=0))
    every, once = propagated_features.embeddings(x_dict['text'], graph, 'text')
    torch.testing.assert_close(once, every)
    command = ['--quick', '--device', 'cpu', '--no-plots', '--output', str(tmp_path)]
    propagated_features.main([*command, '--edges', '2000', '--budget', '0'])
    rows = read_rows(str(tmp_path / 'propagated_features.csv'))
    assert len(rows) == 6
    assert not any(row['error'] for row in rows)
