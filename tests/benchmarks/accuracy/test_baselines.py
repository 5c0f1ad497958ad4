import pytest
import torch

from benchmarks.accuracy.baselines import build_lightgcn, build_vbpr
from benchmarks.accuracy.task import Task
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.training import fit


@pytest.fixture(scope='module')
def task() -> Task:
    return Task('tiny', SyntheticMultimodal('tiny')[0], ['standardize'])


@pytest.mark.parametrize('num_layers', [0, 3])
def test_lightgcn_is_that_of_pyg(task, num_layers):
    model, inputs = build_lightgcn(task, num_layers)
    user, item = task.train[0], task.train[1] + task.num_users
    edge_index = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
    expected = model.gnn.get_embedding(edge_index)
    user, item = model.embed(*inputs)
    torch.testing.assert_close(torch.cat([user, item]), expected)
    grad = torch.randn_like(expected)
    weight = model.gnn.embedding.weight
    torch.testing.assert_close(
        torch.autograd.grad(torch.cat([user, item]), weight, grad),
        torch.autograd.grad(expected, weight, grad),
    )


def test_vbpr_scores_by_factors_content_and_biases(task):
    model, (x,) = build_vbpr(task, embedding_dim=8)
    torch.nn.init.normal_(model.bias.weight)
    torch.nn.init.normal_(model.content_bias.weight)
    user, item = model.embed(x)
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
    model, inputs = build_vbpr(task, reg_weight=0.0)
    batch = torch.tensor([1, 2]), torch.tensor([3, 4]), torch.tensor([5, 5])
    plain = model.loss(model(*inputs), *batch).total
    model.reg_weight = 2.0
    content = model.content(inputs[0])[[3, 4, 5, 5]]
    used = model.user.weight[[1, 2]].square().sum() + 2  # The column of ones.
    used = used + model.item.weight[[3, 4, 5, 5]].square().sum()
    used = used + content.square().sum()
    total = model.loss(model(*inputs), *batch).total
    torch.testing.assert_close(total - plain, 2.0 * used / 2)


@pytest.mark.parametrize('build', [build_lightgcn, build_vbpr])
def test_training_finds_structure(task, build):
    torch.manual_seed(0)
    model, inputs = build(task)
    before = task.val(*model.embed(*inputs))['Recall@20']
    fit(model, inputs, task.sampler(256), task.val, epochs=15, lr=0.01, progress=False)
    after = task.val(*model.embed(*inputs))['Recall@20']
    assert after > max(0.5, before + 0.1)
