import pytest
import torch

from lgmrec_pyg.evaluation import topk
from lgmrec_pyg.ops import has_extension
from lgmrec_pyg.ops._operators import can_rank

pytestmark = [
    pytest.mark.skipif(not has_extension(), reason='needs the C++ extension'),
    pytest.mark.usefixtures('each_version'),
]
fused_topk = torch.ops.lgmrec_pyg.topk


def to_csr(mask):
    rowptr = torch.cat([mask.new_zeros(1).long(), mask.sum(dim=1).cumsum(0)])
    return rowptr, mask.nonzero()[:, 1]


@pytest.mark.parametrize('num_users', [1, 6, 7, 120, 121, 250])
@pytest.mark.parametrize('num_items', [1, 2, 63, 64, 65, 700])
@pytest.mark.parametrize('d', [1, 16, 65])
def test_equals_double_precision(num_users, num_items, d):
    torch.manual_seed(num_users)
    user_emb, item_emb = torch.randn(num_users, d), torch.randn(num_items, d)
    for k in {1, min(20, num_items), num_items}:
        score, index = fused_topk(user_emb, item_emb, k)
        expected = user_emb.double() @ item_emb.double().t()
        assert torch.allclose(score.double(), expected.topk(k).values, atol=1e-4)
        assert torch.allclose(score.double(), expected.gather(1, index), atol=1e-4)
        assert all(row.unique().numel() == k for row in index)


def test_known_scores_with_the_first_of_equal_ones():
    torch.manual_seed(0)
    user_emb = torch.randint(-1, 2, (130, 3)).float()
    item_emb = torch.randint(-1, 2, (1000, 3)).float()
    score, index = fused_topk(user_emb, item_emb, 30)
    expected, order = (user_emb @ item_emb.t()).sort(
        dim=1, descending=True, stable=True
    )
    assert torch.equal(score, expected[:, :30])
    assert torch.equal(index, order[:, :30])


@pytest.mark.parametrize('share', [0.1, 0.9, 1.0])
def test_excluded_items_in_any_order(share):
    torch.manual_seed(0)
    user_emb, item_emb = torch.randn(70, 8), torch.randn(200, 8)
    mask = torch.rand(70, 200) < share
    mask[:35] |= item_emb[:, 0] > 0
    rowptr, col = to_csr(mask)
    rows = [r[torch.randperm(r.numel())] for r in col.split(rowptr.diff().tolist())]
    score, index = fused_topk(user_emb, item_emb, 20, rowptr, torch.cat(rows))
    scores = (user_emb @ item_emb.t()).masked_fill(mask, -float('inf'))
    expected, order = scores.topk(20)
    assert torch.allclose(score, expected, atol=1e-5)
    assert torch.equal(index, order.masked_fill(expected == -float('inf'), -1))


def test_items_that_get_better_and_better():
    # Every item beats all before it, and so every buffer is cut again and again.
    item_emb = torch.arange(5000.0).view(-1, 1)
    score, index = fused_topk(torch.ones(64, 1), item_emb, 50)
    assert index.tolist() == [list(range(4999, 4949, -1))] * 64
    assert torch.equal(score, index.float())


def test_large_users_take_it_and_others_do_not():
    user_emb, item_emb = torch.randn(64, 4), torch.randn(10, 4)
    assert can_rank(user_emb, item_emb)
    assert not can_rank(user_emb[:63], item_emb)
    assert not can_rank(user_emb.double(), item_emb.double())
    assert not can_rank(user_emb, item_emb * 1e30)
    assert not can_rank(user_emb.clone().fill_(float('nan')), item_emb)


def test_infinite_scores_rank_as_they_do_in_chunks():
    torch.manual_seed(0)
    user_emb, item_emb = torch.full((64, 2), 1e20), torch.randn(30, 2)
    item_emb[3] = 1e20  # Their products overflow.
    score, index = topk(user_emb, item_emb, 3)
    assert index[:, 0].tolist() == [3] * 64
    assert score[:, 0].isinf().all()
