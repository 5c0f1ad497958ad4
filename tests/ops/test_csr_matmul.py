import pytest
import torch

from lgmrec_pyg.ops import has_extension

pytestmark = [
    pytest.mark.skipif(not has_extension(), reason='needs the C++ extension'),
    pytest.mark.usefixtures('each_version'),
]
csr_matmul = torch.ops.lgmrec_pyg.csr_matmul


def draw(num_rows, num_cols, num_edges, index=torch.int64, heavy=None):
    row = torch.randint(num_rows, (num_edges,))
    row[: num_edges // 2] = row[0] if heavy is None else heavy
    row, col = row.sort().values, torch.randint(num_cols, (num_edges,))
    rowptr = torch.bincount(row, minlength=num_rows).cumsum(0)
    rowptr = torch.cat([torch.zeros(1, dtype=torch.long), rowptr])
    return row, rowptr.to(index), col.to(index)


@pytest.mark.parametrize('width', [1, 2, 3, 4, 7, 8, 16, 29, 64, 65, 255])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('index', [torch.int32, torch.int64])
def test_values(width, dtype, index):
    row, rowptr, col = draw(40, 30, 500, index)
    value, x = torch.randn(500, dtype=dtype), torch.randn(30, width, dtype=dtype)
    for weight in (value, None):
        out = csr_matmul(rowptr, col, weight, x)
        part = x[col] if weight is None else x[col] * weight.view(-1, 1)
        expected = torch.zeros(40, width, dtype=dtype).index_add_(0, row, part)
        assert torch.allclose(out, expected, atol=1e-4)


@pytest.mark.parametrize('num_threads', [1, 2, 5])
@pytest.mark.parametrize('heavy', [0, 17, 39])
def test_threads_share_uneven_rows(num_threads, heavy):
    row, rowptr, col = draw(40, 30, 560, heavy=heavy)
    x = torch.randn(30, 20)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    out = csr_matmul(rowptr, col, None, x)
    torch.set_num_threads(before)
    expected = torch.zeros(40, 20).index_add_(0, row, x[col])
    assert torch.allclose(out, expected, atol=1e-4)


@pytest.mark.parametrize('column', [-1, 4, 2**40])
def test_damaged_columns_read_nothing_else(column):
    rowptr, col = torch.tensor([0, 2, 3]), torch.tensor([0, 3, column])
    with pytest.raises(IndexError, match=rf'lie in \[0, 3\] \(got {column}\)'):
        csr_matmul(rowptr, col, None, torch.randn(4, 6))


@pytest.mark.parametrize(
    'rowptr',
    [[0, 5, 2, 6], [-9, 1, 2, 6], [0, 1, 2, 7], [0, 7, 2, 6], [1, 1, 2, 6], [0] * 4],
)
def test_damaged_offsets_read_nothing_else(rowptr):
    col = torch.tensor([0, 1, 2, 0, 1, 2])
    with pytest.raises(ValueError, match='Row offsets need to ascend from 0 to 6'):
        csr_matmul(torch.tensor(rowptr), col, None, torch.ones(3, 4))


def test_types_and_shapes_have_to_fit():
    rowptr, col, x = torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1, 2)
    for args in [
        (rowptr.int(), col, None, x),
        (rowptr, col, None, x.long()),
        (rowptr, col, torch.ones(1).double(), x),
        (rowptr, col, torch.ones(2), x),
        (rowptr[:0], col, None, x),
    ]:
        with pytest.raises(ValueError, match="'csr_matmul' needs"):
            csr_matmul(*args)
