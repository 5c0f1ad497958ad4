import torch

from benchmarks.accuracy.evaluation import UserEvaluator, embedding_scorer, restrict

LABELS = torch.tensor([[0, 0, 1, 2], [1, 4, 0, 3]])
KNOWN = torch.tensor([[0, 1, 2], [0, 1, 2]])


def evaluator() -> UserEvaluator:
    return UserEvaluator(LABELS, KNOWN, num_users=3, num_items=5, ks=(2,))


def test_metrics_of_every_user_by_hand():
    scores = torch.tensor(
        [
            [9.0, 5.0, 4.0, 3.0, 2.0],  # Without 0: 1, 2; one of two labels.
            [1.0, 9.0, 2.0, 8.0, 0.0],  # Without 1: 3, 2; no label.
            [0.0, 1.0, 9.0, 7.0, 2.0],  # Without 2: 3, 4; the label at the top.
        ]
    )
    out = evaluator().per_user(lambda users: scores[users])
    assert out['Recall@2'].tolist() == [0.5, 0.0, 1.0]
    assert out['Precision@2'].tolist() == [0.5, 0.0, 0.5]
    assert out['NDCG@2'][2] == 1.0


def test_their_mean_is_the_metric_of_the_library(monkeypatch):
    monkeypatch.setattr('benchmarks.accuracy.evaluation.CHUNK_NUMEL', 70)
    user, item = torch.randn(23, 4), torch.randn(31, 4)
    pairs = (torch.rand(23, 31) < 0.3).nonzero().t()
    labels, known = pairs[:, ::4], torch.cat([pairs[:, 1::4], pairs[:, 2::4]], dim=1)
    judge = UserEvaluator(labels, known, 23, 31)
    means = {
        name: float(values.mean())
        for name, values in judge.per_user(embedding_scorer(user, item)).items()
    }
    expected = judge(user, item)
    assert means.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(means[name], value, msg=name)


def test_restriction_leaves_only_some_items():
    scores = torch.tensor([[0.0, 1.0, 9.0, 7.0, 2.0]]).expand(3, -1)
    items = torch.tensor([True, True, False, False, True])
    scorer = restrict(lambda users: scores[users].clone(), items)
    assert evaluator().per_user(scorer)['Recall@2'].tolist() == [1.0, 1.0, 0.0]
