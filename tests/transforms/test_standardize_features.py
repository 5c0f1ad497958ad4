import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.transforms import StandardizeFeatures


def make_data(**features: list[list[float]]) -> HeteroData:
    data = HeteroData()
    data['user'].num_nodes = data['item'].num_nodes = 3
    for modality, x in features.items():
        data[modality].x = torch.tensor(x)
    return data


def test_standardize_features_repr() -> None:
    assert str(StandardizeFeatures()) == (
        'StandardizeFeatures(columns=True, rows=True, node_types=None)'
    )
    assert str(StandardizeFeatures(rows=False, node_types=['text'])) == (
        "StandardizeFeatures(columns=True, rows=False, node_types=['text'])"
    )


def test_standardize_features_columns() -> None:
    # Without the zero row: means (2, 5, 6) and deviations (1, 0, 2).
    data = make_data(image=[[1.0, 5.0, 4.0], [0.0, 0.0, 0.0], [3.0, 5.0, 8.0]])
    out = StandardizeFeatures(rows=False)(data)
    assert out['image'].x.tolist() == [[-1, 0, -1], [0, 0, 0], [1, 0, 1]]


def test_standardize_features_rows() -> None:
    data = make_data(image=[[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    out = StandardizeFeatures(columns=False)(data)
    expected = torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.0, -1.0]])
    assert torch.allclose(out['image'].x, expected)


def test_standardize_features_default() -> None:
    data = make_data(image=[[1.0, 2.0], [3.0, 6.0]], text=[[7.0], [9.0]])
    before = data['image'].x
    out = StandardizeFeatures()(data)
    root = 0.5**0.5
    expected = torch.tensor([[-root, -root], [root, root]])
    assert torch.allclose(out['image'].x, expected)
    assert out['text'].x.tolist() == [[-1], [1]]
    assert data['image'].x is before
    assert before.tolist() == [[1, 2], [3, 6]]
    assert 'x' not in out['user']


def test_standardize_features_node_types() -> None:
    data = make_data(image=[[1.0], [3.0]], text=[[7.0], [9.0]])
    out = StandardizeFeatures(node_types=['text'])(data)
    assert out['image'].x.tolist() == [[1], [3]]
    assert out['text'].x.tolist() == [[-1], [1]]
    for node_type in ['audio', 'user']:
        with pytest.raises(ValueError, match=f"got '{node_type}', but the graph has"):
            StandardizeFeatures(node_types=[node_type])(data)


def test_standardize_features_degenerate() -> None:
    data = make_data(image=[[0.0, 0.0], [0.0, 0.0]], text=[[4.0, -1.0]])
    data['audio'].x = torch.empty(0, 3)
    out = StandardizeFeatures()(data)
    assert out['image'].x.tolist() == [[0, 0], [0, 0]]
    assert out['text'].x.tolist() == [[0, 0]]
    assert out['audio'].x.size() == (0, 3)


def test_standardize_features_of_large_offset() -> None:
    # In single precision, sums and squares of such columns lose all digits:
    x = torch.randn(5_000, 3) + torch.tensor([0.0, 1e4, -1e6])
    x = torch.cat([x, torch.full((5_000, 1), 0.1), x[:, :1] * 1e30], dim=1)
    data = make_data()
    data['image'].x = x
    out = StandardizeFeatures(rows=False)(data)['image'].x
    expected = (x.double() - x.double().mean(0)) / x.double().std(0, correction=0)
    assert torch.allclose(out[:, [0, 1]].double(), expected[:, [0, 1]], atol=1e-2)
    assert out[:, 2].std() == pytest.approx(1.0, abs=1e-3)
    assert out[:, 3].count_nonzero() == 0
    assert torch.allclose(out[:, 4], out[:, 0], atol=1e-4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
def test_standardize_features_dtype(dtype: torch.dtype) -> None:
    data = make_data()
    data['image'].x = torch.tensor([[1.0, 2.0], [3.0, 1.0]], dtype=dtype)
    out = StandardizeFeatures()(data)['image'].x
    assert out.dtype == dtype
    assert out.tolist()[0][0] == pytest.approx(-(0.5**0.5), abs=1e-3)


@st.composite
def features(draw: st.DrawFn) -> Tensor:
    num_rows, num_columns = draw(st.integers(2, 8)), draw(st.integers(1, 5))
    entry = st.integers(-50, 50).map(lambda value: value / 4)
    row = st.lists(entry, min_size=num_columns, max_size=num_columns)
    rows = st.lists(row, min_size=num_rows, max_size=num_rows)
    return torch.tensor(draw(rows), dtype=torch.float64)


@given(features())
@settings(max_examples=100, deadline=None)
def test_standardize_features_properties(x: Tensor) -> None:
    data = make_data()
    data['image'].x = x
    described = (x != 0).any(dim=1)

    out = StandardizeFeatures(rows=False)(data)
    columns = out['image'].x[described]
    assert out['image'].x[~described].count_nonzero() == 0
    if described.any():
        varies = (x[described] != x[described][:1]).any(dim=0)
        assert columns.mean(dim=0).abs().max() < 1e-9
        std = columns.std(dim=0, correction=0)
        assert torch.allclose(std, varies.to(std.dtype), atol=1e-9)

    unit = StandardizeFeatures(columns=False)(out)['image'].x
    norm, has_length = unit.norm(dim=1), (out['image'].x != 0).any(dim=1)
    assert torch.allclose(norm, has_length.to(norm.dtype))
    assert torch.equal(unit, StandardizeFeatures()(data)['image'].x)
    again = make_data()
    again['image'].x = unit
    again = StandardizeFeatures(columns=False)(again)
    assert torch.allclose(again['image'].x, unit)
