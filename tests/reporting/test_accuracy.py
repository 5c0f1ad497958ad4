import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.reporting.accuracy import (
    by_group,
    degree_groups,
    judge,
    popularity,
    withheld_split,
)


def two_users() -> HeteroData:
    r"""Thirty items, of which both have the first; user 2 has none to begin with."""
    data = HeteroData()
    data['user'].num_nodes, data['item'].num_nodes = 3, 30
    data[INTERACTS].edge_index = torch.tensor([[0, 1, 1], [0, 0, 1]])
    data[INTERACTS].val_edge_label_index = torch.empty(2, 0, dtype=torch.long)
    data[INTERACTS].test_edge_label_index = torch.tensor([[0, 0, 1, 2], [1, 29, 29, 5]])
    return data


def test_hits_and_metrics_of_a_known_ranking():
    # Items rank by their numbers. Without its item 0, user 0 has items 1 to 20 in its
    # top 20, so item 1 but not 29; user 1 has neither. User 2 is skipped.
    emb = torch.ones(3, 1), -torch.arange(30.0).view(-1, 1)
    out = judge(two_users(), emb)
    assert out.users.index.tolist() == [0, 1]
    assert out.users['Recall@20'].tolist() == [0.5, 0]
    assert out.users['NDCG@10'].tolist() == pytest.approx([1 / (1 + 1 / np.log2(3)), 0])
    expected = {'user': [0, 0, 1], 'item': [1, 29, 29], 'hit': [1.0, 0.0, 0.0]}
    assert out.pairs.to_dict('list') == expected


def test_means_are_those_of_the_evaluator():
    data = SyntheticMultimodal('tiny')[0]
    emb = torch.randn(100, 4), torch.randn(80, 4)
    out, expected = judge(data, emb, 'val'), Evaluator.from_data(data, 'val')(*emb)
    for name in out.users:
        assert out.users[name].mean() == pytest.approx(expected[name], abs=1e-6)
    hits = out.pairs.groupby('user')['hit'].mean()
    assert hits.tolist() == pytest.approx(out.users['Recall@20'].tolist())


def test_popularity_counts_training_pairs():
    user_emb, item_emb = popularity(two_users())
    assert (user_emb @ item_emb.t())[0].tolist() == [2, 1] + 28 * [0]


def test_withheld_split():
    data = two_users()
    assert withheld_split(data) == 'test'
    store = data[INTERACTS]
    store.val_edge_label_index = store.test_edge_label_index
    store.test_edge_label_index = torch.empty(2, 0, dtype=torch.long)
    assert withheld_split(data) == 'val'
    del store.val_edge_label_index
    assert withheld_split(data) is None


def test_degree_groups():
    degree = np.array([0, 0, 0, 0, 0, 1, 2, 3, 9, 100])
    groups = degree_groups(degree)
    assert list(groups.categories) == ['0', '1-3', '9-100']
    assert groups.tolist() == 5 * ['0'] + 3 * ['1-3'] + 2 * ['9-100']
    assert list(degree_groups(np.array([7, 7])).categories) == ['7']
    even = degree_groups(np.arange(40))
    assert even.value_counts().tolist() == [10, 10, 10, 10]


def test_by_group():
    groups = degree_groups(np.array([1, 1, 5, 5]), num_groups=2)
    out = by_group(pd.Series([0.0, 1.0, 0.25, 0.25]), groups)
    assert out['group'].tolist() == ['1', '5']
    assert out['count'].tolist() == [2, 2]
    assert out['mean'].tolist() == [0.5, 0.25]
    assert out[['low', 'high']].iloc[1].tolist() == [0.25, 0.25]
    assert out[['low', 'high']].iloc[0].tolist() == [0, 1]
