import argparse

import pytest
import torch

from benchmarks import plot
from benchmarks.plot import read_rows
from benchmarks.report import Report, suite_parser


def arguments(tmp_path, *more: str) -> argparse.Namespace:
    output = str(tmp_path / 'out')
    return suite_parser('suite', None).parse_args(
        ['--device', 'cpu', '--output', output, *more]
    )


def test_report_writes_rows_with_their_environment(tmp_path):
    args = arguments(tmp_path, '--quick', '--no-plots', '--machine', 'my machine')
    x = torch.ones(64, 64)

    def fail() -> None:
        raise ValueError('no such kernel')

    with Report('suite', args) as report:
        report.measure(
            {'size': 64},
            {'mm': lambda: x @ x, 'fail': fail},
            derive=lambda name, timing: {'twice': 2 * timing.median},
        )
    passed, failed = read_rows(str(tmp_path / 'out' / 'suite.csv'))
    assert passed['candidate'] == 'mm'
    assert passed['size'] == '64'
    assert float(passed['p20_ms']) <= float(passed['median_ms'])
    assert float(passed['twice']) == pytest.approx(2 * float(passed['median_ms']), 1e-3)
    assert float(passed['times_fastest']) == 1.0
    assert float(passed['peak_mib']) == pytest.approx(64 * 64 * 4 / 2**20)
    assert passed['machine'] == 'my machine'
    assert passed['torch'] == torch.__version__
    assert int(passed['threads']) == torch.get_num_threads()
    assert failed['error'] == 'ValueError: no such kernel'
    assert failed['median_ms'] == ''


def test_report_starts_anew(tmp_path):
    args = arguments(tmp_path, '--no-plots')
    for value in (1, 2):
        with Report('suite', args) as report:
            report.add({'value': value})
    assert [row['value'] for row in read_rows(report.path)] == ['2']


def test_a_run_without_rows_leaves_those_of_the_last(tmp_path):
    args = arguments(tmp_path, '--no-plots')
    with Report('suite', args) as report:
        report.add({'value': 1})
    with pytest.raises(KeyboardInterrupt), Report('suite', args):
        raise KeyboardInterrupt
    assert [row['value'] for row in read_rows(report.path)] == ['1']


def test_candidates_that_all_fail_are_reported(tmp_path):
    def fail() -> None:
        raise ValueError('no such kernel')

    args = arguments(tmp_path, '--no-plots', '--budget', '0')
    with Report('suite', args) as report:
        report.measure({}, {'fail': fail})
        timing = report.measure({}, {'sum': lambda: sum(range(9))}, min_rounds=2)
    assert report.rows[0]['error'] == 'ValueError: no such kernel'
    assert len(timing['sum'].samples) == 2  # A budget of zero is one.


def test_suites_take_only_options_that_they_use(tmp_path, capsys):
    parser = suite_parser('suite', None, device=False, compares=False)
    assert parser.parse_args([]).device == 'cpu'
    for option in ('--device', '--profile', '--budget'):
        with pytest.raises(SystemExit):
            parser.parse_args([option, 'cpu'])
    capsys.readouterr()
    with pytest.raises(SystemExit):
        plot.main([str(tmp_path / 'scale_sampled.csv')])
    assert 'named by their suites' in capsys.readouterr().err


def test_report_refuses_changing_columns(tmp_path):
    with Report('suite', arguments(tmp_path, '--no-plots')) as report:
        report.add({'value': 1})
        with pytest.raises(ValueError, match='other'):
            report.add({'other': 1})
