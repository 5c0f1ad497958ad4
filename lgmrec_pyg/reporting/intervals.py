import numpy as np
import pandas as pd

LEVEL = 0.95


def bootstrap_means(
    values: np.ndarray, num_draws: int = 1000, seed: int = 0
) -> np.ndarray:
    r"""Draws rows with replacement, as many as there are, and returns the means of
    their columns: the bootstrap of the `"Bootstrap Methods: Another Look at the
    Jackknife" <https://doi.org/10.1214/aos/1176344552>`_ paper. Columns are drawn
    together, so differences between them have intervals as well.

    Args:
        values (numpy.ndarray): A row per user, and a column per metric.
        num_draws (int, optional): The number of draws :math:`B`.
            (default: :obj:`1000`)
        seed (int, optional): The seed of the draws. (default: :obj:`0`)

    Shapes:
        - **input:** :math:`(N, M)`
        - **output:** :math:`(B, M)`
    """
    # Equal rows, such as of users without a hit, are drawn together: how often is
    # multinomial in either case, but there are far fewer of them than users.
    rows, count = np.unique(values, axis=0, return_counts=True)
    rng, total = np.random.default_rng(seed), len(values)
    size = max(1, 2**22 // len(rows))
    parts = [
        rng.multinomial(total, count / total, min(size, num_draws - start)) @ rows
        for start in range(0, num_draws, size)
    ]
    return np.concatenate(parts) / total


def interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    r"""Returns the percentile interval of every column of draws.

    Args:
        draws (numpy.ndarray): The draws, see :func:`bootstrap_means`.
        level (float, optional): The share of draws in the interval.
            (default: :obj:`0.95`)
    """
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def mean_intervals(values: pd.DataFrame) -> pd.DataFrame:
    r"""Returns the mean of every column with its interval, in the columns
    :obj:`mean`, :obj:`low` and :obj:`high`.

    Args:
        values (pandas.DataFrame): A row per user, and a column per metric.
    """
    array = values.to_numpy(dtype=np.float64)
    low, high = interval(bootstrap_means(array))
    columns = {'mean': array.mean(axis=0), 'low': low, 'high': high}
    return pd.DataFrame(columns, index=values.columns)
