import torch

from benchmarks.accuracy.judge import embedding_scorer, found, groups, rank, restrict
from lgmrec_pyg.evaluation import Evaluator

LABELS = torch.tensor([[0, 0, 1, 2], [1, 4, 0, 3]])
KNOWN = torch.tensor([[0, 1, 2], [0, 1, 2]])
SCORES = torch.tensor(
    [[9.0, 5.0, 4.0, 3.0, 2.0], [1.0, 9.0, 2.0, 8.0, 0.0], [0.0, 1.0, 9.0, 7.0, 2.0]]
)


def test_rankings_by_hand():
    evaluator = Evaluator(LABELS, KNOWN, num_users=3, num_items=5, ks=(2,))
    ranking = rank(evaluator, lambda users: SCORES[users])
    assert ranking.tolist() == [[1, 2], [3, 2], [3, 4]]
    assert found(evaluator, ranking, LABELS).tolist() == [True, False, False, True]
    assert evaluator.of_ranking(ranking)['Recall@2'].tolist() == [0.5, 0.0, 1.0]


def test_rankings_are_those_of_the_library(monkeypatch):
    monkeypatch.setattr('benchmarks.accuracy.judge.CHUNK_NUMEL', 200)
    user, item = torch.randn(23, 4), torch.randn(71, 4)
    pairs = (torch.rand(23, 71) < 0.3).nonzero().t()
    labels, known = pairs[:, ::4], torch.cat([pairs[:, 1::4], pairs[:, 2::4]], dim=1)
    evaluator = Evaluator(labels, known, 23, 71, ks=(10, 20))
    ranking = rank(evaluator, embedding_scorer(user, item))
    values, expected = evaluator.of_ranking(ranking), evaluator.per_user(user, item)
    for name, value in expected.items():
        torch.testing.assert_close(values[name], value, msg=name)


def test_restriction_leaves_only_some_items():
    items = torch.tensor([True, True, False, False, True])
    evaluator = Evaluator(LABELS, KNOWN, 3, 5, ks=(4,))
    ranking = rank(evaluator, restrict(lambda users: SCORES[users].clone(), items))
    assert ranking.tolist() == [[1, 4, -1, -1], [0, 4, -1, -1], [4, 1, 0, -1]]


def test_groups_are_quantiles_named_by_their_range():
    count = torch.tensor([1, 1, 2, 3, 5, 8, 9, 30])
    out = groups(count, torch.arange(8.0))
    assert out == {'1-2': [3, 1.0], '3': [1, 3.0], '5-9': [3, 5.0], '30': [1, 7.0]}
    assert groups(torch.ones(4), torch.arange(4.0)) == {'1': [4, 1.5]}
