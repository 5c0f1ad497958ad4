r"""The commands that drive a real service over HTTP, with few requests."""

import os
import signal
import sys
import time

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
    load.main([*command.split(), '--output', str(tmp_path)])
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

    found = hostile.main(['--requests', '300', '--workers', '1'])
    statuses = found['statuses']
    assert sum(statuses.values()) == 300
    assert found['wrong'] == []
    assert (found['lost_workers'], found['tracebacks']) == (0, 0)
    assert found['exit_status'] in (0, -signal.SIGTERM)
    assert found['valid_afterwards'] == [200]
    assert {'200', '400', '404', '422'} <= set(statuses)  # They get that far.


def test_workers_that_cannot_start_end_their_parent(tmp_path, capfd):
    from lgmrec_pyg.serving import serve

    (tmp_path / 'embeddings.safetensors').write_bytes(b'{}')
    kept = {x: signal.getsignal(x) for x in (signal.SIGTERM, signal.SIGINT)}
    with pytest.raises(SystemExit) as end:
        serve(tmp_path, port=0, workers=2)
    for number, handler in kept.items():
        signal.signal(number, handler)
    assert end.value.code == 3
    assert "embeddings.safetensors' needs to be" in capfd.readouterr().err


def test_workers_are_replaced_and_end_with_their_parent(tmp_path):
    from benchmarks.serving.service import Service, write_run

    def wait_until(condition):
        end = time.monotonic() + 300
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.1)

    write_run(str(tmp_path), 50, 40, 4)
    with Service(str(tmp_path), str(tmp_path / 'log.txt'), workers=2) as service:
        first, second = service.workers()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: first not in service.workers())
        assert service.is_up()  # The other one answers.
        wait_until(lambda: len(service.workers()) == 2)
        assert service.lost_workers() == 1
        workers = service.workers()
        assert second in workers
        service.process.kill()
        wait_until(lambda: not any(os.path.exists(f'/proc/{x}') for x in workers))
    assert f'Replaces worker {first}, which died' in service.read_log()
