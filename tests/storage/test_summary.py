import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lgmrec_pyg.storage.summary import ROWS, same_values, summarize


def test_sums_of_one_entry():
    out = summarize(torch.tensor([[0.0, -3.0]]))
    assert (out['shape'], out['dtype'], out['norm']) == ([1, 2], 'float32', 3.0)
    for i, wave in enumerate((1, 2**0.5, 3**0.5, 5**0.5)):
        assert out['sums'][i] == pytest.approx(-math.cos(wave) * math.sin(2 * wave))
        assert out['sums'][i + 4] == pytest.approx(math.log(3) * math.sin(2 * wave))


@pytest.mark.parametrize('shape', [(), (0,), (0, 3), (3, 0), (5,), (4, 3, 2)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_any_shape_and_type(shape, dtype):
    x = torch.randn(shape, dtype=dtype)
    expected = summarize(x)
    assert json.loads(json.dumps(expected)) == expected
    assert same_values(expected, summarize(x.clone()))
    assert not same_values(expected, summarize(x[None]))
    assert not same_values(expected, summarize(x.half()))
    if x.numel() > 0:
        assert not same_values(expected, summarize(x + 1))
        assert not same_values(expected, summarize(0 * x))


def test_chunks_do_not_matter():
    x = torch.randn(2 * ROWS + 17, 3, dtype=torch.float64)
    whole = summarize(x)
    row = torch.arange(1.0, x.size(0) + 1, dtype=x.dtype).cos()
    column = torch.arange(1.0, 4, dtype=x.dtype).sin()
    assert whole['sums'][0] == pytest.approx(float(row @ (x / x.norm(dim=0)) @ column))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_rounding_is_not_seen_and_changes_are(num_rows, num_columns, seed):
    generator = torch.Generator().manual_seed(seed)
    scale = 10 ** (6 * torch.rand(num_columns, generator=generator) - 3)
    x = scale * torch.randn(num_rows, num_columns, generator=generator)
    noise = 1 + 1e-7 * torch.randn(x.shape, generator=generator)
    assert same_values(summarize(x), summarize(x * noise))
    other, column = x.clone(), seed % num_columns
    # Not any entry: some are no more than the rounding of the others in a column.
    other[x[:, column].abs().argmax(), column] *= -1.5
    assert not same_values(summarize(x), summarize(other))


INF, NAN, HUGE = math.inf, math.nan, 1e300
ODD = [
    [[1.0, 0.0]],
    [[1.0, NAN]],
    [[1.0, INF]],
    [[1.0, -INF]],
    [[NAN, 1.0]],
    [[2.0, NAN]],
    [[NAN, NAN]],
    [[1.0, HUGE]],
    [[1.0, -HUGE]],
    [[1.0], [NAN]],
]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_entries_that_are_not_finite_count_by_position_and_kind(dtype):
    values = [x for x in ODD if dtype == torch.float64 or HUGE not in map(abs, x[0])]
    summaries = [summarize(torch.tensor(x, dtype=dtype)) for x in values]
    for i, a in enumerate(summaries):
        assert json.loads(json.dumps(a, allow_nan=False)) == a
        assert [same_values(a, b) for b in summaries] == [
            i == j for j in range(len(summaries))
        ]


def test_the_sign_of_nan_does_not_matter():
    x = torch.tensor([1.0, NAN])
    assert same_values(summarize(x), summarize(x.neg()[1:].new_tensor([1.0, -NAN])))


def test_entries_next_to_infinite_ones_count_but_for_rounding():
    mask = torch.triu(torch.full((5, 5), -INF), 1) + torch.rand(5, 5)
    assert same_values(summarize(mask), summarize(mask * (1 + 1e-7)))
    assert not same_values(summarize(mask), summarize(mask * 1.1))
