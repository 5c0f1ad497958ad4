import pytest
import torch
from graphs import irregular_graph

from lgmrec_pyg.ops import unit_rows
from lgmrec_pyg.transforms import RandomProjection


def test_angles_stay_and_narrow_features_too() -> None:
    data = irregular_graph(dtype=torch.float32)
    x = data['text'].x.clone()
    data['image'].x = torch.randn(8, 4).repeat(1, 500)[:, :2000]
    data['image'].x[3] = 0
    before = torch.nn.functional.normalize(data['image'].x)
    out = RandomProjection(512)(data)
    assert out['image'].x.size() == (8, 512)
    assert (before @ before.t() - out['image'].x @ out['image'].x.t()).abs().max() < 0.2
    assert torch.equal(out['image'].x[3], torch.zeros(512))
    assert torch.equal(out['text'].x, x)
    again = RandomProjection(512)(data)
    assert torch.equal(again['image'].x, out['image'].x)
    assert repr(RandomProjection(8)) == 'RandomProjection(8, seed=0)'


def test_wide_features_in_half_precision_do_not_vanish() -> None:
    data = irregular_graph(dtype=torch.float32)
    data['image'].x = 60 * torch.randn(8, 4096)
    expected = RandomProjection()(data)['image'].x
    data['image'].x = data['image'].x.half()
    out = RandomProjection()(data)['image'].x
    assert out.dtype == torch.float16
    torch.testing.assert_close(out.float(), expected, atol=2e-3, rtol=0)
    norm = unit_rows(torch.full((1, 4096), 2000.0).half()).float().norm()
    assert float(norm) == pytest.approx(1, abs=1e-3)
