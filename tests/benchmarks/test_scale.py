import json
from typing import Any

import pytest
import torch
import torch.distributed as dist

from benchmarks.plot import read_rows
from benchmarks.scale.__main__ import main
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
    command = ['--quick', '--device', 'cpu', '--edges', '2000', '--modes', 'full']
    command += ['--budget', '0', '--output', str(tmp_path), '--json', str(path)]
    main(command)
    (row,) = read_rows(str(tmp_path / 'scale.csv'))
    assert row['error'] == ''
    assert float(row['peak_mib']) > float(row['imported_mib']) > 0
    assert float(row['us_per_edge']) == pytest.approx(
        float(row['epoch_s']) * 1e6 / 2000, rel=1e-3
    )
    assert json.loads(path.read_text())[0]['candidate'] == 'full'
    assert len(list(tmp_path.glob('scale_*.png'))) == 4


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
