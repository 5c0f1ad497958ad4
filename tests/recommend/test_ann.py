import sys

import pytest
import torch
from torch_geometric.nn.pool import ApproxMIPSKNNIndex, MIPSKNNIndex

from lgmrec_pyg.evaluation import topk
from lgmrec_pyg.recommend import Recommender, ann_recall, ann_topk, build_index

pytest.importorskip('faiss', reason='needs faiss-cpu')


@pytest.fixture
def embeddings():
    torch.manual_seed(0)
    centers = torch.randn(12, 16)
    item_emb = centers[torch.randint(12, (3000,))] + 0.3 * torch.randn(3000, 16)
    return centers[torch.randint(12, (90,))] + 0.3 * torch.randn(90, 16), item_emb


def exclude_best(user_emb, item_emb):
    r"""Excludes up to 300 of the best items of each user, more than a cell has."""
    count = torch.arange(user_emb.size(0)) * 300 // user_emb.size(0)
    _, best = topk(user_emb, item_emb, 300)
    mask = torch.arange(300) < count.view(-1, 1)
    return torch.cat([count.new_zeros(1), count.cumsum(0)]), best[mask]


@pytest.mark.parametrize('excluded', [False, True])
def test_flat_index_is_exact(embeddings, excluded):
    exclude = exclude_best(*embeddings) if excluded else None
    index = MIPSKNNIndex(embeddings[1])
    score, found = ann_topk(index, *embeddings, 20, exclude)
    expected_score, expected = topk(*embeddings, 20, exclude)
    assert torch.equal(found, expected)
    assert torch.allclose(score, expected_score, atol=1e-5)
    assert ann_recall(index, *embeddings, 20, exclude) == 1.0


def test_every_cell_visited_is_exact_and_fewer_find_less(embeddings):
    exclude = exclude_best(*embeddings)
    every = build_index(embeddings[1], num_cells=60, num_cells_to_visit=60)
    few = build_index(embeddings[1], num_cells=60, num_cells_to_visit=1)
    assert ann_recall(every, *embeddings, exclude=exclude) == 1.0
    assert ann_recall(few, *embeddings, exclude=exclude) < 1.0
    assert ann_recall(build_index(embeddings[1]), *embeddings) > 0.8


def test_nothing_excluded_is_returned_and_scores_are_exact(embeddings):
    user_emb, item_emb = embeddings
    rowptr, col = exclude_best(user_emb, item_emb)
    index = build_index(item_emb, num_cells=60, num_cells_to_visit=2)
    score, found = ann_topk(index, user_emb, item_emb, 20, (rowptr, col))
    for u in range(user_emb.size(0)):
        assert found[u].unique().numel() == 20
        assert not torch.isin(found[u], col[rowptr[u] : rowptr[u + 1]]).any()
        assert torch.allclose(item_emb[found[u]] @ user_emb[u], score[u], atol=1e-5)
        assert (score[u].diff() <= 0).all()


def test_a_user_with_too_many_items_is_ranked_exactly(embeddings):
    user_emb, item_emb = embeddings
    count = torch.zeros(90, dtype=torch.long)
    count[3] = 2500
    exclude = torch.cat([count.new_zeros(1), count.cumsum(0)]), torch.arange(2500)
    index = build_index(item_emb, num_cells=60, num_cells_to_visit=1)
    _, found = ann_topk(index, user_emb, item_emb, 20, exclude)
    _, expected = topk(user_emb, item_emb, 20, exclude)
    assert torch.equal(found[3], expected[3])
    assert found[3].min() >= 2500


def test_fewer_items_than_asked_for(embeddings):
    user_emb, item_emb = embeddings[0], embeddings[1][:5]
    exclude = torch.arange(91) * 2, torch.tensor([0, 4]).repeat(90)
    _, found = ann_topk(MIPSKNNIndex(item_emb), user_emb, item_emb, 5, exclude)
    assert torch.equal(found[:, :3].sort().values, torch.arange(1, 4).expand(90, 3))
    assert (found[:, 3:] == -1).all()


def test_oversampling_makes_up_for_compression(embeddings):
    index = ApproxMIPSKNNIndex(4, 4, 2, embeddings[1])
    recall = [ann_recall(index, *embeddings, oversample=n) for n in (1, 8)]
    assert recall[0] < recall[1] > 0.9


def test_recommender_takes_an_index(embeddings):
    seen = torch.stack([torch.arange(90), torch.arange(90)])
    recommender = Recommender(*embeddings, seen=seen)
    exact = recommender.recommend([4, 7])
    assert (
        recommender.recommend([4, 7], index=MIPSKNNIndex(embeddings[1])).ids
        == exact.ids
    )


def test_errors(embeddings, monkeypatch):
    with pytest.raises(ValueError, match=r"'KNNIndex' of 3000 items \(got 10\)"):
        ann_topk(MIPSKNNIndex(embeddings[1][:10]), *embeddings, 3)
    with pytest.raises(ValueError, match=r"'index' needs to be .* \(got IndexFlatIP\)"):
        ann_topk(MIPSKNNIndex(embeddings[1]).index, *embeddings, 3)
    with pytest.raises(ValueError, match=r"'num_cells' needs .* \(got 0\)"):
        build_index(embeddings[1], num_cells=0)
    with pytest.raises(ValueError, match=r"'num_cells' needs .* \(got 3.0\)"):
        build_index(embeddings[1], num_cells=3.0)
    with pytest.raises(ValueError, match=r"'num_cells_to_visit' .* \(got 0\)"):
        build_index(embeddings[1], num_cells_to_visit=0)
    with pytest.raises(ValueError, match=r"'item_emb' .* at least one row"):
        build_index(embeddings[1][:0])
    with pytest.raises(ValueError, match=r"'item_emb' holds NaN"):
        build_index(embeddings[1].log())
    with pytest.raises(ValueError, match=r"'k' needs .* \(got 2.0\)"):
        ann_topk(MIPSKNNIndex(embeddings[1]), *embeddings, 2.0)
    few = embeddings[1][:50]
    with pytest.raises(ValueError, match=r"'k' needs to be at most 50.*\(got 51"):
        ann_topk(MIPSKNNIndex(few), embeddings[0], few, 51)
    with pytest.raises(ValueError, match=r"'oversample' needs .* \(got 0\)"):
        ann_topk(MIPSKNNIndex(embeddings[1]), *embeddings, 3, oversample=0)
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        build_index(embeddings[1])


def test_every_item_and_every_cell(embeddings):
    user_emb, item_emb = embeddings[0], embeddings[1][:50]
    index = build_index(item_emb, num_cells=50, num_cells_to_visit=50)
    _, found = ann_topk(index, user_emb, item_emb, 50)
    assert torch.equal(found, topk(user_emb, item_emb, 50)[1])


def test_recall_of_nothing_is_an_error(embeddings):
    user_emb, item_emb = embeddings[0], embeddings[1][:50]
    index = MIPSKNNIndex(item_emb)
    everything = 50 * torch.arange(91), torch.arange(50).repeat(90)
    with pytest.raises(ValueError, match="'exclude' needs to leave an item"):
        ann_recall(index, user_emb, item_emb, 5, everything)
    with pytest.raises(ValueError, match="'exclude' needs to leave an item"):
        ann_recall(index, user_emb[:0], item_emb, 5)
    # One item that is left to one user will do.
    everything[0][-1] -= 1
    almost = everything[0], everything[1][:-1]
    assert ann_recall(index, user_emb, item_emb, 5, almost) == 1.0


def test_pairs_are_no_format_to_exclude(embeddings):
    seen = torch.stack([torch.arange(90), torch.arange(90)])
    recommender = Recommender(*embeddings, seen=seen)
    index = MIPSKNNIndex(embeddings[1])
    for exclude in (recommender.seen, tuple(recommender.seen)):
        for call in (ann_recall, ann_topk):
            with pytest.raises(ValueError, match=r"'exclude' needs to be in CSR"):
                call(index, *embeddings, 5, exclude)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_and_strided_embeddings(embeddings, dtype):
    user_emb, item_emb = (x.to(dtype) for x in embeddings)
    strided = item_emb.t().contiguous().t()
    index = build_index(strided, num_cells=60, num_cells_to_visit=60)
    score, found = ann_topk(index, user_emb, strided, 20)
    expected_score, expected = topk(user_emb, item_emb, 20)
    assert torch.equal(found, expected)
    assert score.dtype == expected_score.dtype
    assert torch.allclose(score, expected_score, atol=1e-5)
