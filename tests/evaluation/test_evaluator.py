import math
import sys

import pytest
import torch
import torch_geometric.transforms as T

from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator, topk
from lgmrec_pyg.graph import INTERACTS
from lgmrec_pyg.transforms import DegreeNorm, ToAdjacency

KS = (1, 3, 10)


def naive_metrics(user_emb, item_emb, labels, known, ks):
    r"""The definitions, one user and one list at a time."""
    values = {}
    for user in sorted(labels):
        if not known.get(user):
            continue
        scores = {
            item: float(user_emb[user] @ item_emb[item])
            for item in range(item_emb.size(0))
            if item not in known[user]
        }
        ranking = sorted(scores, key=lambda item: -scores[item])
        for k in ks:
            hits = [item in labels[user] for item in ranking[:k]]
            num_labels = len(labels[user])
            dcg = sum(hit / math.log2(i + 2) for i, hit in enumerate(hits))
            idcg = sum(1 / math.log2(i + 2) for i in range(min(k, num_labels)))
            precisions = [
                sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit
            ]
            for name, value in [
                ('Recall', sum(hits) / num_labels),
                ('NDCG', dcg / idcg),
                ('Precision', sum(hits) / k),
                ('MAP', sum(precisions) / min(k, num_labels)),
            ]:
                values.setdefault(f'{name}@{k}', []).append(value)
    return {name: sum(v) / len(v) for name, v in values.items()}


def random_split(num_users, num_items, seed):
    generator = torch.Generator().manual_seed(seed)
    kind = torch.rand(num_users, num_items, generator=generator)
    known, label = kind < 0.15, kind > 0.8
    known[::7] = False
    label[1::5] = False
    return label.nonzero().t(), known.nonzero().t()


def grouped(edge_index):
    out = {}
    for user, item in edge_index.t().tolist():
        out.setdefault(user, set()).add(item)
    return out


@pytest.mark.parametrize('seed', range(3))
def test_metrics_against_a_loop_over_users(seed):
    num_users, num_items = 40, 60
    label_index, known_index = random_split(num_users, num_items, seed)
    torch.manual_seed(seed)
    user_emb, item_emb = torch.randn(num_users, 6), torch.randn(num_items, 6)

    evaluator = Evaluator(label_index, known_index, num_users, num_items, ks=KS)
    reverse = evaluator(-user_emb, item_emb)
    out = evaluator(user_emb, item_emb)
    expected = naive_metrics(
        user_emb, item_emb, grouped(label_index), grouped(known_index), KS
    )
    assert out.keys() == expected.keys()
    assert out == pytest.approx(expected, abs=1e-6)
    assert min(out.values()) > 0
    assert evaluator(-user_emb, item_emb) == reverse != out


def test_order_chunks_and_duplicates_do_not_matter():
    label_index, known_index = random_split(30, 50, seed=3)
    user_emb, item_emb = torch.randn(30, 4), torch.randn(50, 4)
    out = Evaluator(label_index, known_index, 30, 50)(user_emb, item_emb)
    label_index = torch.cat([label_index, label_index[:, -5:]], dim=1)
    other = Evaluator(
        label_index[:, torch.randperm(label_index.size(1))],
        known_index[:, torch.randperm(known_index.size(1))],
        num_users=30,
        num_items=50,
        chunk_size=4,
    )
    assert other(user_emb, item_emb) == pytest.approx(out, abs=1e-7)


def test_users_without_a_known_item_are_skipped_and_counted():
    label_index = torch.tensor([[0, 1, 1, 3], [2, 0, 1, 2]])
    known_index = torch.tensor([[0, 2, 3], [0, 1, 1]])
    evaluator = Evaluator(label_index, known_index, 4, 3, ks=[1, 2])
    assert evaluator.num_skipped == 1
    assert str(evaluator) == (
        'Evaluator(num_users=2, num_labels=2, num_skipped=1, ks=[1, 2])'
    )
    user_emb = torch.tensor([[1.0, 2.0, 3.0]] * 3 + [[9.0, 0.0, 5.0]])
    out = evaluator(user_emb, torch.eye(3))
    assert out['Recall@1'] == 0.5
    assert out['Recall@2'] == 1.0


def test_lists_longer_than_the_candidates():
    # A label that is known already can not be recommended: it never counts.
    label_index = torch.tensor([[0, 0, 1], [1, 2, 0]])
    known_index = torch.tensor([[0, 0, 1], [0, 1, 1]])
    evaluator = Evaluator(label_index, known_index, 2, 3, ks=[10])
    out = evaluator(torch.randn(2, 3), torch.eye(3))
    assert out['Recall@10'] == pytest.approx((1 / 2 + 1) / 2)
    assert out['Precision@10'] == pytest.approx((1 / 10 + 1 / 10) / 2)


def test_metrics_of_every_user_and_of_groups():
    label_index, known_index = random_split(40, 60, seed=1)
    user_emb, item_emb = torch.randn(40, 6), torch.randn(60, 6)
    evaluator = Evaluator(label_index, known_index, 40, 60, ks=KS)
    values = evaluator.per_user(user_emb, item_emb)
    assert list(values) == evaluator.metric_names
    labels, known = grouped(label_index), grouped(known_index)
    assert set(evaluator.users.tolist()) == set(labels) & set(known)
    for row, user in enumerate(evaluator.users.tolist()):
        one = {user: labels[user]}
        expected = naive_metrics(user_emb, item_emb, one, known, KS)
        found = {name: float(value[row]) for name, value in values.items()}
        assert found == pytest.approx(expected, abs=1e-6)

    few = torch.bincount(known_index[0], minlength=40) < 8
    groups = evaluator.per_group(
        user_emb, item_emb, {'cold': few, 'warm': ~few, 'nobody': few & ~few}
    )
    assert list(groups) == ['cold', 'warm']
    for name, mask in (('cold', few), ('warm', ~few)):
        some = {user: labels[user] for user in labels if mask[user]}
        expected = naive_metrics(user_emb, item_emb, some, known, KS)
        assert groups[name].pop('num_users') == len(set(some) & set(known))
        assert groups[name] == pytest.approx(expected, abs=1e-6)
    numbered = evaluator.per_group(user_emb, item_emb, few.long() + 3)
    assert numbered[4]['MAP@3'] == groups['cold']['MAP@3']
    array = evaluator.per_group(user_emb, item_emb, {'cold': few.numpy()})
    assert array['cold']['MAP@3'] == groups['cold']['MAP@3']
    for wrong, name in ((few[1:], 'groups'), (few.float(), 'groups')):
        with pytest.raises(ValueError, match=rf"'{name}' needs to hold 40 integers"):
            evaluator.per_group(user_emb, item_emb, wrong)
    with pytest.raises(ValueError, match=r"groups\['cold'\].*\(got torch.bool of sh"):
        evaluator.per_group(user_emb, item_emb, {'cold': few[1:]})


def test_metrics_of_other_rankings():
    label_index = torch.tensor([[0, 1, 1], [2, 0, 1]])
    evaluator = Evaluator(label_index, torch.tensor([[0, 1], [0, 2]]), 2, 3, ks=[2])
    out = evaluator.of_ranking(torch.tensor([[1, 2], [1, -1]]))
    assert out['Recall@2'].tolist() == [1.0, 0.5]
    assert out['Precision@2'].tolist() == [0.5, 0.5]
    for shape in ((3, 2), (1, 2), (2,)):
        ranking = torch.zeros(shape, dtype=torch.long)
        with pytest.raises(ValueError, match=r"'ranking' .* 2 entries of 'users'"):
            evaluator.of_ranking(ranking)


def test_errors():
    pairs = torch.tensor([[0, 1], [0, 1]])
    for ks in ([], [0], [5.0], [5, '10']):
        with pytest.raises(ValueError, match="'ks' needs to hold positive integers"):
            Evaluator(pairs, pairs, 2, 2, ks=ks)
    with pytest.raises(
        ValueError, match=r"'exclude_edge_index' .* below \(1, 2\) \(got \[1, 1\]\)"
    ):
        Evaluator(pairs, pairs, 1, 2)
    with pytest.raises(ValueError, match=r"'exclude_edge_index' .* \(got \[0, 5\]\)"):
        Evaluator(pairs, torch.tensor([[0], [5]]), 2, 2)
    with pytest.raises(ValueError, match='leaves no user'):
        Evaluator(pairs, torch.tensor([[2], [0]]), 3, 2)

    evaluator = Evaluator(pairs, pairs.flip(0), 2, 2)
    with pytest.raises(ValueError, match=r'have 2 and 2 rows \(got 3 and 2\)'):
        evaluator(torch.randn(3, 2), torch.randn(2, 2))
    with pytest.raises(ValueError, match='the model diverged'):
        evaluator(torch.randn(2, 2), torch.full((2, 2), float('nan')))


@pytest.mark.parametrize('exclude_val', [False, True])
def test_from_data(exclude_val):
    data = SyntheticMultimodal('tiny')[0]
    train = data[INTERACTS].edge_index
    val, test = (data[INTERACTS][f'{x}_edge_label_index'] for x in ('val', 'test'))
    known = torch.cat([train, val], dim=1) if exclude_val else train
    sizes = data['user'].num_nodes, data['item'].num_nodes
    embeddings = torch.randn(sizes[0], 4), torch.randn(sizes[1], 4)
    expected = Evaluator(test, known, *sizes)(*embeddings)
    data = T.Compose([T.ToUndirected(), DegreeNorm(), ToAdjacency('csr')])(data)
    evaluator = Evaluator.from_data(data, exclude_val=exclude_val)
    assert evaluator(*embeddings) == expected
    val = Evaluator.from_data(data, 'val', exclude_val=exclude_val)
    assert val(*embeddings)['Recall@50'] > 0

    del data[INTERACTS].val_edge_label_index
    with pytest.raises(ValueError, match="'data' needs to hold 'val_edge_label"):
        Evaluator.from_data(data, exclude_val=True)
    del data[INTERACTS].test_edge_label_index
    with pytest.raises(ValueError, match="'data' needs to hold 'test_edge_label"):
        Evaluator.from_data(data)


@pytest.mark.parametrize('by', ['topk', 'evaluator'])
def test_chunks_are_of_the_size_asked_for(by, monkeypatch):
    module, sizes = sys.modules['lgmrec_pyg.evaluation.topk'], []
    inner = module._topk_in_chunks

    def observed(*args):
        sizes.append(args[-1])
        return inner(*args)

    monkeypatch.setattr(module, '_topk_in_chunks', observed)
    user, item = torch.randn(20, 4), torch.randn(30, 4)
    if by == 'topk':
        topk(user, item, 5, chunk_size=7)
    else:
        pairs = torch.arange(20).repeat(2, 1)
        seen = pairs + torch.tensor([[0], [1]])
        Evaluator(pairs, seen, 20, 30, chunk_size=7)(user, item)
    assert sizes == [7]
