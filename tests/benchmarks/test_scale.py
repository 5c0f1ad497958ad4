import json
from typing import Any

import pandas as pd
import pytest
import torch
import torch.distributed as dist

from benchmarks.plot import FIGURES, lines_of, read_rows
from benchmarks.scale.__main__ import main
from benchmarks.scale.needs import bytes_of_parts, needs
from benchmarks.scale.needs import main as print_needs
from benchmarks.scale.traffic import Traffic
from benchmarks.scale.worker import make_graph, measure
from lgmrec_pyg.graph import validate_graph

TASK = {
    'device': 'cpu',
    'threads': None,
    'seed': 0,
    'recommended': False,
    'min_steps': 3,
    'num_neighbors': [5, 3, 2],
    'edges': 2000,
    'processes': 1,
    'shard': 'none',
    'batch_size': 512,
    'budget': 0,
}


def test_graph_has_the_size_it_is_given() -> None:
    data = make_graph(2000, seed=0)
    validate_graph(data)
    assert data['user', 'interacts', 'item'].edge_index.size(1) == 2000
    assert (data['user'].num_nodes, data['item'].num_nodes) == (200, 40)
    assert data['text'].x.norm(dim=1).mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize('mode', ['full', 'large-batch', 'sampled'])
def test_measure(mode: str) -> None:
    row = measure({**TASK, 'mode': mode})
    assert row['steps'] == 3
    assert row['epoch_steps'] == 4
    # Shuffling is part of an epoch, and is not a step.
    assert row['epoch_s'] * 1e3 > 4 * row['step_ms'] > 0
    assert row['sent_mib'] == 0
    assert 0 < row['loss'] < 2


def test_suite_writes_tables_and_plots(tmp_path: Any) -> None:
    pytest.importorskip('matplotlib')
    path = tmp_path / 'scale.json'
    command = ['--quick', '--device', 'cpu', '--edges', '2000', '--processes', '1', '2']
    command += ['--threads', '1', '--budget', '0', '--json', str(path)]
    main([*command, '--modes', 'sampled', '--output', str(tmp_path)])
    rows = read_rows(str(tmp_path / 'scale.csv'))
    for row in rows:
        assert row['error'] == ''
        assert row['huge_pages'] == 'True'
        assert float(row['peak_mib']) > float(row['imported_mib']) > 0
        epoch = float(row['epoch_s'])
        assert float(row['us_per_edge']) == pytest.approx(epoch * 1e6 / 2000, rel=1e-3)
    assert [row['shard'] for row in rows] == ['none', 'batch']
    assert float(rows[1]['sent_mib']) > float(rows[0]['sent_mib']) == 0
    assert json.loads(path.read_text())[1]['candidate'] == 'sampled'
    assert len(list(tmp_path.glob('scale_*.png'))) == 4


def test_batch_sizes_of_a_mode_have_lines_of_their_own() -> None:
    figure = FIGURES['scale'][0]
    rows = pd.DataFrame(
        [('full', 10, 4), ('full', 20, 8), ('sampled', 10, 4), ('sampled', 10, 8)],
        columns=['candidate', 'edges', 'batch_size'],
    )
    lines = {
        name: list(points['batch_size']) for name, points in lines_of(figure, rows)
    }
    assert lines == {
        'full': [4, 8],
        'sampled, batch_size 4': [4],
        'sampled, batch_size 8': [8],
    }


def test_traffic_of_collectives(tmp_path: Any) -> None:
    functional = torch.ops._c10d_functional
    store = dist.FileStore(str(tmp_path / 'store'), 1)
    dist.init_process_group('gloo', store=store, rank=0, world_size=1)
    try:
        x, out = torch.ones(10, 2), torch.empty(10, 2)
        for size, expected in [(1, 0), (4, 80 * 1.5 + 80 * 3 + 80 * 0.75 + 80 * 3)]:
            with Traffic(size) as traffic:
                dist.all_reduce(x)
                dist.all_gather([out], x)
                functional.wait_tensor(functional.all_gather_into_tensor(x, 1, '0'))
                functional.wait_tensor(
                    functional.reduce_scatter_tensor(x, 'sum', 1, '0')
                )
                x.add(x @ x.t() @ x)
            assert traffic.sent == expected
    finally:
        dist.destroy_process_group()


def test_needs_of_a_billion_edges() -> None:
    constants = bytes_of_parts()
    assert constants['node'] == 64 * 4
    assert constants['features'] == (384 + 128) * 4
    # Pairs, and in both directions a column and a weight; then what nodes have.
    assert 2 * 8 + 2 * (8 + 4) < constants['edge'] < 42
    rows = [
        {'edges': 1e7, 'us_per_edge': 36.0, 'sent_mib': 0.0, 'processes': 1},
        {'edges': 1e6, 'us_per_edge': 72.0, 'sent_mib': 3.0, 'processes': 2},
    ]
    rows = [{**row, 'candidate': 'sampled', 'error': ''} for row in rows]
    got = needs(1e9, 1e8, 2e7, 4, constants, rows)
    tables = 3 * 1.2e8 * 256 / 2**30
    assert got['tables and Adam, GiB'] == pytest.approx(tables)
    assert got['tables a process, 4 by columns or rows'] == pytest.approx(tables / 4)
    assert got['features, GiB'] == pytest.approx(2e7 * 2048 / 2**30)
    layers = 2 + 2 + 2  # Of ids and of two modalities, forward and backward.
    sent = 2 * layers * 1.2e8 * 256 * 3 / 4 / 2**30
    name = 'sent a step by a process, full graph by rows, GiB'
    assert got[name] == pytest.approx(sent)
    assert got['hours an epoch, sampled, as in 1 of 1e+07'] == pytest.approx(10)
    name = 'sent a step by a process, sampled, as in 2 of 1e+06, GiB'
    assert got[name] == pytest.approx(3 / 1024)


def test_needs_are_printed(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'scale.json'
    row = {'edges': 1e6, 'us_per_edge': 36.0, 'sent_mib': 0.0, 'processes': 1}
    path.write_text(json.dumps([{**row, 'candidate': 'sampled', 'error': ''}]))
    print_needs(['--edges', '1e9', '--measured', str(path)])
    out = capsys.readouterr().out
    assert out.startswith('Computed, not measured')
    assert 'hours an epoch, sampled, as in 1 of 1e+06' in out
    assert out.splitlines()[-1].split()[-1] == '10'
