import subprocess
import sys

import pytest

from benchmarks.plot import read_rows


def test_everyone_is_served(tmp_path):
    pytest.importorskip('pyarrow')
    # In a process of its own, whose memory nothing else takes or frees.
    command = [sys.executable, '-m', 'benchmarks.serving', '--quick', '--users', '600']
    command += ['--items', '900', '--sample', '300', '--threads', '1', '--no-plots']
    command += ['--output', str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows = {row['candidate']: row for row in read_rows(str(tmp_path / 'serving.csv'))}
    assert rows.keys() >= {'parquet', 'exact'}
    assert all(float(row['users_per_second']) > 0 for row in rows.values())
    assert all(0.5 < float(row['recall']) <= 1 for row in rows.values())
    assert float(rows['parquet']['beyond_embeddings_mib']) > 0
    assert 'MiB beyond the embeddings' in run.stdout
