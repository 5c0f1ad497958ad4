import argparse

import pytest
import torch

from benchmarks.plot import read_rows
from benchmarks.report import Report, add_common_arguments


def arguments(tmp_path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    output = str(tmp_path / 'out')
    return parser.parse_args(['--device', 'cpu', '--output', output, *more])


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


def test_report_refuses_changing_columns(tmp_path):
    with Report('suite', arguments(tmp_path, '--no-plots')) as report:
        report.add({'value': 1})
        with pytest.raises(ValueError, match='other'):
            report.add({'other': 1})
