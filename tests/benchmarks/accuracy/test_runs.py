import numpy as np
import pytest

from benchmarks.accuracy.runs import Run, load_runs, load_users, save_run, save_table

RUN = Run('main', 'lfm2k', '0123', 'lgmrec', {'lr': 1e-3}, seed=1, epochs=3)


def test_runs_survive_as_files_and_as_a_table(tmp_path):
    folder, csv = str(tmp_path / 'runs'), str(tmp_path / 'results.csv')
    users = {'Recall@20': np.array([0.5, 0.25], dtype=np.float32)}
    result = {'Recall@20': 0.123456789, 'best_epoch': 2, 'machine': 'mine'}
    result |= {'parameters': 12345678}
    save_run(folder, RUN, result | {'extra': {'activity': {'1': [2, 0.4]}}}, users)
    first = load_runs(folder, csv)
    save_table(first, csv)
    for runs in (first, load_runs(str(tmp_path / 'gone'), csv), load_runs(folder, csv)):
        (row,) = runs.to_dict('records')
        assert row['key'] == RUN.key
        assert row['Recall@20'] == 0.123457
        assert row['parameters'] == 12345678  # A count is not rounded.
        assert (row['seed'], row['best_epoch'], row['machine']) == (1, 2, 'mine')
        assert row['extra'] == '{"activity": {"1": [2, 0.4]}}'
        assert row['config'] == '{"lr": 0.001}'
        assert row['error'] == ''
    assert load_users(folder, RUN.key)['Recall@20'].tolist() == [0.5, 0.25]
    assert load_users(folder, 'unknown') is None


def test_keys_tell_runs_apart_and_are_stable():
    runs = [
        RUN,
        Run('main', 'lfm2k', '0123', 'lgmrec', {'lr': 1e-3}, seed=2, epochs=3),
        Run('main', 'lfm2k', '4567', 'lgmrec', {'lr': 1e-3}, seed=1, epochs=3),
        Run('main', 'lfm2k', '0123', 'lgmrec', {'lr': 1e-2}, seed=1, epochs=3),
    ]
    assert len({run.key for run in runs}) == 4
    reordered = Run('main', 'd', '', 'm', {'a': 1, 'b': 2}).key
    assert reordered == Run('main', 'd', '', 'm', {'b': 2, 'a': 1}).key
    assert RUN.key == '255fefd44a92b295'


@pytest.mark.parametrize('name', ['results.csv', 'runs/x.json', 'runs/x.npz'])
@pytest.mark.parametrize('content', [b'', b'{"key": 1', b'[1]', b'\x80\x04K\x01.'])
def test_damaged_files_are_named(tmp_path, name, content):
    (tmp_path / 'runs').mkdir()
    (tmp_path / name).write_bytes(content)
    folder, csv = str(tmp_path / 'runs'), str(tmp_path / 'results.csv')
    load = (lambda: load_users(folder, 'x')) if 'npz' in name else load_runs
    with pytest.raises(ValueError, match=name):
        load(*(() if 'npz' in name else (folder, csv)))
