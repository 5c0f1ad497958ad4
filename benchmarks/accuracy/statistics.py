r"""How sure a result is: over seeds, and over users."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95


class Interval(NamedTuple):
    r"""A mean with the half width of its 95 % confidence interval, NaN of fewer
    than two values.
    """

    mean: float
    half_width: float


class Difference(NamedTuple):
    r"""The mean difference of paired values, its 95 % confidence interval, and
    the p-value of none.
    """

    mean: float
    low: float
    high: float
    p: float


def interval(values: Sequence[float]) -> Interval:
    r"""The mean over seeds and its confidence interval by Student's t.

    Args:
        values (Sequence[float]): One value a seed.
    """
    from scipy import stats

    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return Interval(float(array.mean()) if array.size else float('nan'), np.nan)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, array.size - 1)
    return Interval(
        float(array.mean()), float(quantile * array.std(ddof=1) / array.size**0.5)
    )


def paired_difference(first: np.ndarray, second: np.ndarray) -> Difference:
    r"""The paired t-test of the values of the same users under two models.

    Args:
        first (numpy.ndarray): The values of one model.
        second (numpy.ndarray): The values of the other, subtracted.
    """
    from scipy import stats

    if first.shape != second.shape or first.size < 2:
        raise ValueError(
            f"'first' and 'second' need to hold the same users, two at least (got "
            f'{first.size} and {second.size})'
        )
    difference = first.astype(np.float64) - second.astype(np.float64)
    mean = float(difference.mean())
    if np.all(difference == difference[0]):
        return Difference(mean, mean, mean, 0.0 if mean else 1.0)
    test = stats.ttest_1samp(difference, 0.0)
    bounds = test.confidence_interval(CONFIDENCE)
    return Difference(mean, float(bounds.low), float(bounds.high), float(test.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Adjusts the p-values of several tests by the method of Holm.

    Args:
        p_values (Sequence[float]): The p-value of each test.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    out = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, (len(p_values) - rank) * p_values[i])
        out[i] = min(1.0, highest)
    return out
