import math
import time

import pytest
import torch

from benchmarks.harness import Timing, compare

CPU = torch.device('cpu')


def test_compare_measures_the_known_ratio():
    calls = {
        'slow': lambda: time.sleep(0.04),
        'fast': lambda: time.sleep(0.002),
    }
    timings = compare(calls, CPU, budget=0.1)
    assert timings['slow'].median >= 40
    assert timings['slow'].median > 2 * timings['fast'].median
    assert timings['slow'].quantile(0.2) <= timings['slow'].quantile(0.8)


def test_compare_interleaves_in_rotating_order():
    order: list[str] = []

    def note(name: str) -> None:
        order.append(name)
        time.sleep(0.003)  # Long enough to be called once a sample.

    calls = {name: (lambda name=name: note(name)) for name in 'abc'}
    compare(calls, CPU, budget=0.0, min_rounds=3)
    assert ''.join(order) == 'aabbcc' + 'abc' + 'bca' + 'cab'


def test_compare_reports_what_cannot_run():
    def fail() -> None:
        raise RuntimeError('not on this device\nwith a long explanation')

    timings = compare({'fail': fail, 'pass': lambda: None}, CPU, budget=0.0)
    assert timings['fail'].error == 'RuntimeError: not on this device'
    assert math.isnan(timings['fail'].median)
    assert len(timings['pass'].samples) >= 5


def test_compare_does_not_hide_bugs():
    def bug() -> None:
        raise AttributeError('typo')

    with pytest.raises(AttributeError, match='typo'):
        compare({'bug': bug}, CPU)


def test_timing_quantiles():
    timing = Timing([5.0, 1.0, 4.0, 2.0, 3.0])
    assert timing.median == 3.0
    assert timing.quantile(0.2) == pytest.approx(1.8)
    assert timing.as_row()['samples'] == 5
