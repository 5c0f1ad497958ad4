import pytest
import torch

from benchmarks.accuracy.baselines import (
    VBPR,
    GraphRecommender,
    MembershipBugLGMRec,
)
from benchmarks.accuracy.task import Task
from benchmarks.withheld import item_features
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.training import fit

BATCH = torch.tensor([1, 2]), torch.tensor([3, 4]), torch.tensor([5, 5])


@pytest.fixture(scope='module')
def task() -> Task:
    return Task(SyntheticMultimodal('tiny')[0], ['standardize'])


@pytest.mark.parametrize('num_layers', [0, 3])
def test_lightgcn_is_that_of_pyg(task, num_layers):
    model = GraphRecommender.from_data(task.data, num_layers=num_layers)
    user, item = task.train[0], task.train[1] + task.num_users
    edge_index = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
    expected = model.gnn.get_embedding(edge_index)
    out = torch.cat(model.embed(*task.inputs))
    torch.testing.assert_close(out, expected)
    grad = torch.randn_like(expected)
    weight = model.gnn.embedding.weight
    torch.testing.assert_close(
        torch.autograd.grad(out, weight, grad),
        torch.autograd.grad(expected, weight, grad),
    )


def test_vbpr_scores_by_factors_content_and_biases(task):
    model = VBPR.from_data(task.data, embedding_dim=8)
    torch.nn.init.normal_(model.bias.weight)
    torch.nn.init.normal_(model.content_bias.weight)
    user, item = model.embed(*task.inputs)
    features = item_features(task.data, torch.arange(task.num_items))
    x = torch.cat([features[name] for name in model.feature_dims], dim=1)
    u, i = 3, 5
    gamma, theta = model.user.weight[u].split(8)
    expected = (
        gamma @ model.item.weight[i]
        + theta @ (model.content.weight @ x[i])
        + model.bias.weight[i, 0]
        + model.content_bias.weight[0] @ x[i]
    )
    torch.testing.assert_close(user[u] @ item[i], expected)


def test_regularization_is_of_what_the_batch_uses(task):
    model = VBPR.from_data(task.data, reg_weight=2.0)
    user, item = model(*task.inputs)
    used = user[BATCH[0]], item[torch.cat(BATCH[1:])][:, :-1]  # No bias, which is 0.
    loss = model.loss((user, item), *BATCH)
    norm = sum(x.square().sum() for x in used) / 2
    torch.testing.assert_close(loss.total - loss.ranking, 2.0 * norm)


@pytest.mark.parametrize('model', [GraphRecommender, VBPR])
def test_training_finds_structure(task, model):
    torch.manual_seed(0)
    model = model.from_data(task.data)
    before = task.val(*model.embed(*task.inputs))['Recall@20']
    loop = {'epochs': 15, 'lr': 0.01, 'progress': False}
    fit(model, task.inputs, task.sampler(256), task.val, **loop)
    after = task.val(*model.embed(*task.inputs))['Recall@20']
    assert after > max(0.5, before + 0.1)


def test_users_take_the_memberships_of_the_second_modality(task):
    wrong = MembershipBugLGMRec.from_data(task.data).eval()
    right = LGMRec.from_data(task.data).eval()
    right.load_state_dict(wrong.state_dict())
    out, expected = wrong(*task.inputs), right(*task.inputs)
    torch.testing.assert_close(out.item.modality, expected.item.modality)
    (image, text), (kept, softmaxed) = out.user.hypergraph, expected.user.hypergraph
    torch.testing.assert_close(image.membership, softmaxed.membership)
    torch.testing.assert_close(image.latent, kept.latent)
    torch.testing.assert_close(text.latent, softmaxed.latent)
    # The logits of a user are the sum of those of the items that have the modality.
    x = item_features(task.data, torch.arange(task.num_items))['text']
    x = x @ wrong.encoder['text'].projection.hyperedge
    logits = torch.zeros(task.num_users, x.size(1))
    logits.index_add_(0, task.train[0], x[task.train[1]])
    torch.testing.assert_close(text.membership, logits)
    out = MembershipBugLGMRec.from_data(task.data, dropout=0.5)(*task.inputs)
    share = (out.user.hypergraph[1].membership == 0).float().mean()
    assert 0.4 < share < 0.6
