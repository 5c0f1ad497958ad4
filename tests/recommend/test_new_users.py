import pytest
import torch

from lgmrec_pyg.recommend import embed_new_users


def test_mean_of_the_items_by_hand():
    item_emb = torch.tensor([[1.0, 2.0], [3.0, 0.0], [-1.0, 4.0]])
    histories = [torch.tensor([0, 1]), torch.tensor([2]), torch.tensor([2, 0, 1])]
    expected = [[2.0, 1.0], [-1.0, 4.0], [1.0, 2.0]]
    assert embed_new_users(item_emb, histories).tolist() == expected


def test_no_users():
    assert embed_new_users(torch.ones(3, 2), []).size() == (0, 2)


def test_empty_history_is_named():
    histories = [torch.tensor([0]), torch.tensor([], dtype=torch.long)]
    with pytest.raises(ValueError, match=r"'histories' needs .* \(got none for user 1"):
        embed_new_users(torch.ones(3, 2), histories)
