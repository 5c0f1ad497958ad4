import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lgmrec_pyg.evaluation import topk


class LargestTensor(TorchDispatchMode):
    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return out


def to_csr(mask):
    count = mask.sum(dim=1)
    rowptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
    return rowptr, mask.nonzero()[:, 1]


@pytest.mark.parametrize('num_items', [7, 50, 133, 700, 2000])
@pytest.mark.parametrize('k', [1, 5, 7])
def test_topk_is_exact(num_items, k):
    torch.manual_seed(num_items)
    user_emb, item_emb = torch.randn(33, 8), torch.randn(num_items, 8)
    mask = torch.rand(33, num_items) < 0.2
    mask[:, :7] = False
    expected = (user_emb @ item_emb.t()).masked_fill(mask, -float('inf'))

    score, index = topk(user_emb, item_emb, k, to_csr(mask), chunk_size=10)
    assert torch.allclose(score, expected.topk(k).values, atol=1e-6)
    assert torch.allclose(score, expected.gather(1, index), atol=1e-6)
    assert (index.sort(dim=1).values.diff(dim=1) > 0).all()


def test_topk_is_exact_for_equal_scores():
    torch.manual_seed(0)
    user_emb = torch.randint(0, 2, (40, 3)).float()
    item_emb = torch.randint(0, 2, (1000, 3)).float()
    score, index = topk(user_emb, item_emb, k=20)
    expected = user_emb @ item_emb.t()
    assert torch.equal(score, expected.topk(20).values)
    assert torch.equal(score, expected.gather(1, index))
    assert all(row.unique().numel() == 20 for row in index)


@pytest.mark.parametrize('chunk_size', [1, 3, 64, 1000])
def test_chunk_size_does_not_change_the_result(chunk_size):
    torch.manual_seed(0)
    user_emb, item_emb = torch.randn(65, 16), torch.randn(900, 16)
    exclude = to_csr(torch.rand(65, 900) < 0.1)
    score, index = topk(user_emb, item_emb, 10, exclude, chunk_size=chunk_size)
    expected_score, expected_index = topk(user_emb, item_emb, 10, exclude)
    assert torch.allclose(score, expected_score, atol=1e-6)
    assert torch.equal(index, expected_index)


def test_memory_is_bounded_by_the_chunk():
    user_emb, item_emb = torch.randn(2000, 4), torch.randn(3000, 4)
    exclude = (torch.arange(2001), torch.zeros(2000, dtype=torch.long))
    with LargestTensor() as largest:
        topk(user_emb, item_emb, k=5, exclude=exclude, chunk_size=16)
    assert largest.numel < 16 * 3200


def test_checkerboard():
    # Users like items of their own parity, and own all of them but one.
    num_users, num_items = 12, 10
    user_emb = torch.nn.functional.one_hot(torch.arange(num_users) % 2).float()
    item_emb = torch.nn.functional.one_hot(torch.arange(num_items) % 2).float()
    own = (user_emb @ item_emb.t()).bool()
    withheld = (3 * torch.arange(num_users)) % num_items
    withheld = withheld - withheld % 2 + torch.arange(num_users) % 2
    own[torch.arange(num_users), withheld] = False

    score, index = topk(user_emb, item_emb, k=3, exclude=to_csr(own))
    assert index[:, 0].tolist() == withheld.tolist()
    assert score.tolist() == [[1.0, 0.0, 0.0]] * num_users


def test_users_and_exhausted_users():
    user_emb, item_emb = torch.eye(3), torch.eye(3)
    mask = torch.tensor([[0, 0, 0], [1, 1, 0], [1, 1, 1]]).bool()
    users = torch.tensor([2, 1, 0, 1])
    score, index = topk(user_emb, item_emb, 2, to_csr(mask), users, chunk_size=3)
    inf = float('inf')
    assert index[[0, 1, 3]].tolist() == [[-1, -1], [2, -1], [2, -1]]
    assert score[[0, 1, 3]].tolist() == [[-inf, -inf], [0, -inf], [0, -inf]]
    assert index[2, 0] == 0

    empty = torch.tensor([], dtype=torch.long)
    score, index = topk(user_emb, item_emb, 2, to_csr(mask), empty)
    assert score.size() == index.size() == (0, 2)


def test_no_gradient_is_recorded():
    user_emb = torch.randn(4, 2, requires_grad=True)
    score, _ = topk(user_emb, torch.randn(5, 2, requires_grad=True), k=2)
    assert not score.requires_grad


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'k': 0}, r"'k' needs to be a positive integer \(got 0\)"),
        ({'k': 6}, r'at most 5, all items \(got 6\)'),
        ({'k': 1, 'chunk_size': -2}, r"'chunk_size' .* \(got -2\)"),
        ({'k': 5.0}, r"'k' needs to be a positive integer \(got 5.0\)"),
        ({'k': '5'}, r"'k' needs to be a positive integer \(got '5'\)"),
        ({'k': None}, r"'k' needs to be a positive integer \(got None\)"),
        ({'k': 1, 'chunk_size': 2.0}, r"'chunk_size' .* \(got 2.0\)"),
    ],
)
def test_errors(kwargs, message):
    with pytest.raises(ValueError, match=message):
        topk(torch.randn(4, 2), torch.randn(5, 2), **kwargs)


PAIRS = torch.tensor([[0, 1, 3], [2, 0, 4]])


@pytest.mark.parametrize(
    'exclude',
    [
        PAIRS,
        tuple(PAIRS),
        (torch.tensor([0, 0, 1, 1, 3]), PAIRS[1, :2]),
        (torch.tensor([0, 2, 1, 2, 3]), PAIRS[1]),
        (torch.tensor([0, 1, 2, 2, 3]), PAIRS[1] + 1),
        (torch.tensor([0, 1, 2, 2, 3]), PAIRS[1] - 1),
    ],
)
def test_exclude_in_another_format(exclude):
    message = "'exclude' needs to be in CSR format .* 4 rows of item indices below 5"
    with pytest.raises(ValueError, match=message):
        topk(torch.randn(4, 2), torch.randn(5, 2), 1, exclude)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_ranks_as_its_values_do(dtype):
    torch.manual_seed(0)
    user_emb, item_emb = torch.randn(50, 32).to(dtype), torch.randn(3000, 32).to(dtype)
    score, index = topk(user_emb, item_emb, 20)
    expected_score, expected = topk(user_emb.float(), item_emb.float(), 20)
    assert torch.equal(index, expected)
    assert torch.equal(score, expected_score)
    # A product of 90,000 would overflow to an infinite score of half precision.
    out = topk(torch.full((1, 1), 300.0).half(), torch.tensor([[1.0], [300.0]]), 2)
    assert out[0].tolist() == [[90_000, 300]]
    assert out[1].tolist() == [[1, 0]]


def test_integers_of_numpy_and_strided_embeddings():
    torch.manual_seed(0)
    user_emb, item_emb = torch.randn(8, 6).t(), torch.randn(8, 30).t()
    _, index = topk(user_emb, item_emb, np.int64(3))
    expected = (user_emb @ item_emb.t()).topk(3).indices
    assert torch.equal(index, expected)
