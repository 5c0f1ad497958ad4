import pytest
import torch

from lgmrec_pyg.datasets import multi_hot


def test_multi_hot() -> None:
    x, names = multi_hot([['Drama'], [], ['Crime', 'Drama', 'Crime']])
    assert names == ['Crime', 'Drama']
    assert x.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert x.dtype == torch.float32


def test_multi_hot_of_nothing() -> None:
    assert multi_hot([])[0].size() == (0, 0)
    assert multi_hot([[]])[0].size() == (1, 0)


def test_multi_hot_of_strings() -> None:
    with pytest.raises(ValueError, match=r"list of labels .*\(got 'Drama' in row 1\)"):
        multi_hot([['Crime'], 'Drama'])
