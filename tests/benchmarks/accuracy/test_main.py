import csv

import pytest

from benchmarks.accuracy.__main__ import CORE, main, parse_args
from benchmarks.accuracy.execute import execute
from benchmarks.accuracy.report import main as report
from benchmarks.accuracy.runs import Run
from benchmarks.accuracy.studies import STUDIES
from benchmarks.accuracy.task import Source

pytest.importorskip('scipy')


def rows(folder) -> list[dict[str, str]]:
    with open(folder / 'results.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_quick_runs_everything_and_skips_it_the_second_time(tmp_path, capsys):
    pytest.importorskip('matplotlib')
    args = ['--quick', '--cache', str(tmp_path / 'cache'), '--output', str(tmp_path)]
    assert main([*args, '--machine', 'mine']) == 0
    first = rows(tmp_path)
    assert {row['study'] for row in first} == {'main', *STUDIES}
    assert {row['model'] for row in first} == set(CORE)
    assert {row['machine'] for row in first} == {'mine'}
    assert all(0 <= float(row['Recall@20']) <= 1 for row in first)
    text = (tmp_path / 'README.md').read_text()
    assert all(study.title in text for study in STUDIES.values())
    assert 'LGMRec - EASE' in text
    assert (tmp_path / 'sensitivity.png').stat().st_size > 1000

    capsys.readouterr()
    assert main([*args, '--dry-run']) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ['0 to run', '0 to run']
    assert rows(tmp_path) == first

    (tmp_path / 'README.md').unlink()
    report(['--output', str(tmp_path), '--cache', str(tmp_path / 'gone')])
    assert (tmp_path / 'README.md').read_text() == text


def test_two_processes_and_from_scratch(tmp_path):
    args = ['--quick', '--cache', str(tmp_path), '--output', str(tmp_path)]
    args += ['--models', 'filter', 'bpr-mf', '--only', 'main']
    assert main(args) == 0
    alone = {row['key']: row for row in rows(tmp_path)}
    assert main([*args, '--from-scratch', '--jobs', '2']) == 0
    together = {row['key']: row for row in rows(tmp_path)}
    assert alone.keys() == together.keys()
    for key, row in together.items():
        assert row['threads'] == '1'
        assert row['Recall@20'] == alone[key]['Recall@20']


def test_a_run_is_repeatable():
    place = {'variant': 'noise edges', 'level': '0.2', 'epochs': 2, 'patience': 2}
    run = Run('main', 'synthetic-tiny', '', 'lgmrec', {}, 3, **place)
    first, again = (execute(run, Source({}, '')) for _ in range(2))
    for name in ('val_Recall@20', 'Recall@20', 'NDCG@20', 'best_epoch', 'extra'):
        assert first.row[name] == again.row[name]


def test_a_model_that_diverges_is_a_result():
    config = {'lr': 1e30}
    run = Run('main', 'synthetic-tiny', '', 'vbpr', config, epochs=3, patience=3)
    row, users = execute(run, Source({}, ''))
    assert 'not finite' in row['error']
    assert users == {}


def test_a_run_that_fails_does_not_stop_the_others(tmp_path, capsys):
    # A file without features leaves nothing for VBPR to learn from.
    folder = tmp_path / 'data' / 'bare'
    folder.mkdir(parents=True)
    lines = ['userID\titemID\tx_label']
    lines += [
        f'{u}\t{(u + i) % 9}\t{max(0, i - 4)}' for u in range(8) for i in range(7)
    ]
    (folder / 'bare.inter').write_text('\n'.join(lines))
    args = ['--datasets', str(folder), '--only', 'main']
    args += ['--models', 'vbpr', 'popularity', '--cache', str(tmp_path / 'cache')]
    assert main([*args, '--output', str(tmp_path / 'out'), '--epochs', '1']) == 1
    assert {row['model'] for row in rows(tmp_path / 'out')} == {'popularity'}
    assert 'Failed: main bare vbpr' in capsys.readouterr().err


def test_folders_are_found_by_path_or_name(tmp_path, monkeypatch):
    for name in ('here/mine', 'data/mine', 'data/other'):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / 'here')
    monkeypatch.delenv('LGMREC_DATA', raising=False)
    data = str(tmp_path / 'data')
    assert parse_args(['--datasets', 'mine']).folders == {'mine': 'mine'}
    args = ['--datasets', 'mine', 'other', '--data', data]
    expected = {'mine': f'{data}/mine', 'other': f'{data}/other'}
    assert parse_args(args).folders == expected
    args = ['--datasets', '../data/other']
    assert parse_args(args).folders == {'other': '../data/other'}


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--datasets', 'beauty'], "'--datasets' needs to name folders"),
        (['--datasets', 'synthetic-huge'], 'synthetic-tiny'),
        (['--seeds', '0'], "--seeds: needs to be a positive integer (got '0')"),
        (['--models', 'unknown'], 'invalid choice'),
        (['--only', 'unknown'], 'invalid choice'),
    ],
)
def test_bad_arguments_are_explained(args, message, capsys, monkeypatch):
    monkeypatch.delenv('LGMREC_DATA', raising=False)
    with pytest.raises(SystemExit):
        main(args)
    assert message in capsys.readouterr().err


def test_report_needs_results(tmp_path, capsys):
    with pytest.raises(SystemExit):
        report(['--output', str(tmp_path)])
    assert 'results.csv' in capsys.readouterr().err
