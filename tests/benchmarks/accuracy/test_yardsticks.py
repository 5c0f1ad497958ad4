import numpy as np
import pytest
import torch

from benchmarks.accuracy.task import Task
from benchmarks.accuracy.yardsticks import (
    ease,
    feature_graph,
    graph_filter,
    item_knn,
    popularity,
)
from benchmarks.withheld import item_features
from lgmrec_pyg.datasets import SyntheticMultimodal


@pytest.fixture(scope='module')
def task() -> Task:
    pytest.importorskip('scipy')
    return Task(SyntheticMultimodal('tiny')[0])


@pytest.fixture(scope='module')
def dense(task: Task) -> torch.Tensor:
    out = torch.zeros(task.num_users, task.num_items, dtype=torch.double)
    out[tuple(task.train)] = 1
    return out


def scores(scorer) -> torch.Tensor:
    return scorer(torch.tensor([3, 0, 7])).double()


def test_popularity_counts(task, dense):
    assert torch.equal(scores(popularity(task)), dense.sum(dim=0).expand(3, -1))


def test_item_knn_keeps_the_nearest_of_each_item(task, dense):
    norm = dense.norm(dim=0)
    cosine = (dense.t() @ dense) / (norm.view(-1, 1) * norm + 2.0)
    cosine = cosine.nan_to_num().fill_diagonal_(0)
    everything = scores(item_knn(task, k=task.num_items, shrink=2.0))
    torch.testing.assert_close(everything, dense[[3, 0, 7]] @ cosine, rtol=1e-5, atol=0)
    # With ties, it is open which item is the nearest, but not how near it is.
    nearest = item_knn(task, k=1, shrink=2.0)
    best = cosine.max(dim=1).values
    total = nearest(torch.arange(task.num_users)).double().sum(dim=1)
    torch.testing.assert_close(total, dense @ best, rtol=1e-5, atol=1e-6)


def test_item_knn_agrees_with_implicit(task):
    nearest = pytest.importorskip('implicit.nearest_neighbours')
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(task.matrix.astype(np.float64))
    model = nearest.CosineRecommender(K=task.num_items, num_threads=1)
    model.fit(matrix, show_progress=False)
    similarity = torch.from_numpy(model.similarity.toarray()).fill_diagonal_(0)
    theirs = torch.from_numpy(matrix.toarray())[[3, 0, 7]] @ similarity
    torch.testing.assert_close(
        scores(item_knn(task, k=task.num_items)), theirs, rtol=1e-5, atol=1e-6
    )


def test_graph_filter_is_the_formula(task, dense):
    user = dense.sum(dim=1, keepdim=True).clamp(min=1)
    item = dense.sum(dim=0).clamp(min=1)
    content = sum(
        torch.from_numpy(feature_graph(task, name, 5).toarray()).double()
        for name in ('image', 'text')
    )
    weight = (dense.t() @ (dense / user)) * item**-0.25 + 0.3 * content / 2
    expected = (dense * item**-0.5)[[3, 0, 7]] @ weight
    out = scores(graph_filter(task, history=0.5, target=0.25, content=0.3, k=5))
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-6)


def test_feature_graph_links_described_items_to_their_nearest(task):
    out = torch.from_numpy(feature_graph(task, 'image', 3).toarray())
    assert torch.equal(out.diagonal(), torch.zeros(task.num_items))
    assert int((out > 0).sum(dim=1).max()) == 3
    x = torch.nn.functional.normalize(
        item_features(task.data, torch.arange(task.num_items))['image'], dim=1
    )
    missing = (x == 0).all(dim=1)
    assert missing.any()
    assert out[missing].sum() == out[:, missing].sum() == 0
    cosine = (x @ x.t()).fill_diagonal_(-1)
    assert (out[torch.arange(task.num_items), cosine.argmax(dim=1)] > 0)[~missing].all()


def test_ease_minimizes_its_objective(task, dense):
    # The closed form is stationary but for the multipliers of a zero diagonal.
    weight = 20.0
    every = ease(task, weight)(torch.arange(task.num_users)).double()
    gram = dense.t() @ dense
    precision = torch.linalg.inv(gram + weight * torch.eye(task.num_items).double())
    b = (-precision / precision.diagonal()).fill_diagonal_(0)
    gradient = gram @ (b - torch.eye(task.num_items).double()) + weight * b
    off = gradient - torch.diag(gradient.diagonal())
    torch.testing.assert_close(off, torch.zeros_like(off), atol=1e-9, rtol=0)
    torch.testing.assert_close(every, dense @ b, rtol=1e-3, atol=1e-4)
