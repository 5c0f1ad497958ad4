import torch

from benchmarks.accuracy.judge import Judge, embedding_scorer, groups, restrict
from lgmrec_pyg.evaluation import Evaluator

LABELS = torch.tensor([[0, 0, 1, 2], [1, 4, 0, 3]])
KNOWN = torch.tensor([[0, 1, 2], [0, 1, 2]])


def test_rankings_and_hits_by_hand():
    scores = torch.tensor(
        [
            [9.0, 5.0, 4.0, 3.0, 2.0],
            [1.0, 9.0, 2.0, 8.0, 0.0],
            [0.0, 1.0, 9.0, 7.0, 2.0],
        ]
    )
    judge = Judge(LABELS, KNOWN, num_users=3, num_items=5)
    ranking = judge.rank(lambda users: scores[users])
    assert ranking.size() == (3, 20)
    assert ranking[:, :5].tolist() == [
        [1, 2, 3, 4, -1],
        [3, 2, 0, 4, -1],
        [3, 4, 1, 0, -1],
    ]
    hits = judge.hits(ranking)
    assert hits.nonzero().tolist() == [[0, 0], [0, 3], [1, 2], [2, 0]]
    values = judge.per_user(ranking)
    assert values['Recall@20'].tolist() == [1.0, 1.0, 1.0]
    assert (10 * values['Precision@10']).round().tolist() == [2.0, 1.0, 1.0]
    assert values['NDCG@20'][2] == 1.0


def test_means_are_the_metrics_of_the_library(monkeypatch):
    monkeypatch.setattr('benchmarks.accuracy.judge.CHUNK_NUMEL', 200)
    user, item = torch.randn(23, 4), torch.randn(71, 4)
    pairs = (torch.rand(23, 71) < 0.3).nonzero().t()
    labels, known = pairs[:, ::4], torch.cat([pairs[:, 1::4], pairs[:, 2::4]], dim=1)
    judge = Judge(labels, known, 23, 71)
    ranking = judge.rank(embedding_scorer(user, item))
    evaluator = Evaluator(labels, known, 23, 71, ks=(10, 20))
    assert torch.equal(judge.users, evaluator.users)
    values, expected = judge.per_user(ranking), evaluator(user, item)
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(float(values[name].mean()), value, msg=name)
    assert judge.found(ranking).sum() == judge.hits(ranking).sum() > 0


def test_restriction_leaves_only_some_items():
    scores = torch.tensor([[0.0, 1.0, 9.0, 7.0, 2.0]]).expand(3, -1)
    items = torch.tensor([True, True, False, False, True])
    scorer = restrict(lambda users: scores[users].clone(), items)
    ranking = Judge(LABELS, KNOWN, 3, 5).rank(scorer)
    assert ranking[:, :4].tolist() == [[4, 1, -1, -1], [4, 0, -1, -1], [4, 1, 0, -1]]


def test_groups_are_quantiles_named_by_their_range():
    count = torch.tensor([1, 1, 2, 3, 5, 8, 9, 30])
    out = groups(count, torch.arange(8.0))
    assert out == {'1-2': [3, 1.0], '3': [1, 3.0], '5-9': [3, 5.0], '30': [1, 7.0]}
    assert groups(torch.ones(4), torch.arange(4.0)) == {'1': [4, 1.5]}
