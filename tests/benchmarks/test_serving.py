import pytest

from benchmarks.plot import read_rows


def test_everyone_is_served(tmp_path, capsys):
    pytest.importorskip('pyarrow')
    from benchmarks.serving import ranking

    command = '--quick --users 600 --items 900 --sample 300 --threads 1 --no-plots'
    ranking.main([*command.split(), '--device', 'cpu', '--output', str(tmp_path)])
    rows = {row['candidate']: row for row in read_rows(str(tmp_path / 'serving.csv'))}
    assert rows.keys() >= {'parquet', 'exact'}
    assert all(float(row['users_per_second']) > 0 for row in rows.values())
    assert all(0.5 < float(row['recall']) <= 1 for row in rows.values())
    assert float(rows['parquet']['beyond_embeddings_mib']) > 0
    assert 'MiB beyond the embeddings' in capsys.readouterr().out
