r"""The commands that drive a real service over HTTP, with few requests."""

import sys

import pytest

from benchmarks.plot import read_rows

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='reads /proc'
)
pytest.importorskip('fastapi', reason='needs the extra serve')


def test_load(tmp_path):
    from benchmarks.serving import load

    command = '--quick --users 300 --items 200 --dim 8 --requests 100 --rates 20'
    command += ' --seconds 2 --max-requests 4 --connections 3 --no-plots'
    load.main([*command.split(), '--device', 'cpu', '--output', str(tmp_path)])
    rows = read_rows(str(tmp_path / 'load.csv'))
    assert [row['load'] for row in rows] == 10 * ['closed'] + [
        'rate',
        'overload',
        'reload',
    ]
    for row in rows:
        assert (row['hung'], row['lost_workers']) == ('0', '0')
        assert row['status_other'] == '0'
        assert float(row['answers_per_second']) > 0
        assert float(row['p50_ms']) <= float(row['p99_ms']) <= float(row['max_ms'])
        assert float(row['memory_mib']) > 50
    by_load = {row['load']: row for row in rows}
    assert by_load['closed']['requests'] == '10'
    assert by_load['closed']['status_503'] == by_load['reload']['status_503'] == '0'
    assert int(by_load['overload']['status_503']) > 0


def test_hostile_requests(tmp_path, capsys):
    from benchmarks.serving import hostile

    found = hostile.main(['--requests', '300', '--workers', '2'])
    statuses = found['statuses']
    assert sum(statuses.values()) == 300
    assert found['wrong'] == []
    assert (found['lost_workers'], found['tracebacks'], found['exit_status']) == (
        0,
        0,
        0,
    )
    assert found['valid_afterwards'] == [200]
    assert {'200', '400', '404', '422'} <= set(statuses)  # They get that far.


def test_a_service_that_cannot_start_ends(tmp_path):
    from benchmarks.serving.service import Service

    (tmp_path / 'embeddings.safetensors').write_bytes(b'{}')
    service = Service(str(tmp_path), str(tmp_path / 'log.txt'), workers=2)
    with pytest.raises(RuntimeError, match=r"embeddings\.safetensors' needs to be"):
        service.__enter__()
    assert service.process.returncode == 3
