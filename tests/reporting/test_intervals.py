import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lgmrec_pyg.reporting.intervals import bootstrap_means, interval, mean_intervals


def test_as_scipy_has_it():
    values = np.random.default_rng(0).exponential(size=(400, 2))
    low, high = interval(bootstrap_means(values, num_draws=20_000))
    out = stats.bootstrap(
        (values,), np.mean, method='percentile', n_resamples=20_000, axis=0, rng=1
    ).confidence_interval
    width = out.high - out.low
    assert low == pytest.approx(out.low, abs=0.03 * width.max())
    assert high == pytest.approx(out.high, abs=0.03 * width.max())


def test_equal_rows_are_drawn_as_if_apart():
    # Of 1,000 coins, 300 heads: the mean is binomial, with a known deviation.
    values = np.repeat([1.0, 0.0], [300, 700]).reshape(-1, 1)
    draws = bootstrap_means(values, num_draws=20_000)
    assert draws.shape == (20_000, 1)
    assert draws.mean() == pytest.approx(0.3, abs=5e-4)
    assert draws.std() == pytest.approx((0.3 * 0.7 / 1000) ** 0.5, rel=0.02)


def test_columns_are_drawn_together():
    values = np.random.default_rng(0).normal(size=(50, 1))
    draws = bootstrap_means(np.hstack([values, values + 2, -values]))
    assert draws[:, 1] - draws[:, 0] == pytest.approx(2)
    assert draws[:, 2] == pytest.approx(-draws[:, 0])


def test_the_share_of_intervals_that_hold_the_mean():
    rng = np.random.default_rng(0)
    bounds = [interval(bootstrap_means(rng.normal(size=(300, 1)))) for _ in range(400)]
    held = np.mean([low[0] < 0 < high[0] for low, high in bounds])
    assert held == pytest.approx(0.95, abs=0.03)


def test_chunks_do_not_matter_and_seeds_repeat():
    values = np.random.default_rng(0).normal(size=(5000, 1))
    assert 2**22 // 5000 < 1000
    draws = bootstrap_means(values)
    assert draws.shape == (1000, 1)
    assert draws.std() == pytest.approx(values.std() / 5000**0.5, rel=0.1)
    assert np.array_equal(draws, bootstrap_means(values))
    assert not np.array_equal(draws, bootstrap_means(values, seed=1))


def test_mean_intervals():
    out = mean_intervals(pd.DataFrame({'a': [1.0, 1.0, 1.0], 'b': [0.0, 1.0, 2.0]}))
    assert out.loc['a'].tolist() == [1, 1, 1]
    mean, low, high = out.loc['b']
    assert mean == 1
    assert 0 <= low < 1 < high <= 2
