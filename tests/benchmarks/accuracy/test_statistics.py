import math

import numpy as np
import pytest

from benchmarks.accuracy.statistics import holm, interval, paired_difference

pytest.importorskip('scipy')


def test_interval_of_a_textbook_sample():
    # Mean 3, deviation sqrt(2.5); t(0.975, 4) = 2.776.
    mean, half = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3.0
    assert half == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)


def test_interval_of_too_few():
    assert interval([2.0]).mean == 2.0
    assert math.isnan(interval([2.0]).half_width)
    assert math.isnan(interval([]).mean)


def test_paired_difference_removes_what_users_share():
    easy = np.linspace(0, 1, 200)
    shift = 0.01 * np.tile([1.0, 3.0], 100)
    out = paired_difference(easy + shift, easy)
    assert out.mean == pytest.approx(0.02)
    assert out.low < 0.02 < out.high
    assert out.high - out.low == pytest.approx(2 * 1.9720 * 0.01 / math.sqrt(199), 1e-3)
    assert out.p < 1e-50


def test_paired_difference_of_equals():
    same = np.array([0.0, 1.0, 0.5])
    assert paired_difference(same, same) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match='same users'):
        paired_difference(same, same[:2])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
