r"""Models without training: closed forms of the interactions."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmarks.accuracy.judge import Scorer
from benchmarks.accuracy.task import Task
from benchmarks.withheld import item_features
from lgmrec_pyg.graph import modalities

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def popularity(task: Task) -> Scorer:
    r"""Everybody gets the items with the most training pairs."""
    count = torch.bincount(task.train[1], minlength=task.num_items).float()
    return lambda users: count.repeat(users.numel(), 1)


def item_knn(task: Task, k: int = 100, shrink: float = 0.0) -> Scorer:
    r"""The cosine similarity of items by their users, of the :obj:`k` nearest
    items of each.
    """
    count = task.matrix.sum(axis=0)
    similarity = (task.matrix.T @ task.matrix).tocoo()
    product = np.sqrt(count[similarity.row] * count[similarity.col])
    similarity.data /= product + shrink
    return _weighted(task.matrix, _nearest(similarity.tocsr(), k))


def graph_filter(
    task: Task,
    history: float = 0.5,
    target: float = 0.5,
    content: float = 0.0,
    k: int = 10,
) -> Scorer:
    r"""One hop on the graph of co-occurring items, the linear part of the `"How
    Powerful is Graph Convolution for Recommendation?"
    <https://arxiv.org/abs/2108.07567>`_ paper: the scores are

    .. math::
        \mathbf{R} \mathbf{D}_I^{-h} \left( \mathbf{R}^{\top} \mathbf{D}_U^{-1}
        \mathbf{R} \mathbf{D}_I^{-t} + w \mathbf{S} \right),

    where :math:`\mathbf{S}` is the mean over modalities of :meth:`feature_graph`.

    Args:
        task (Task): The data.
        history (float, optional): The exponent :math:`h` that discounts popular
            items in histories. (default: :obj:`0.5`)
        target (float, optional): The exponent :math:`t` that discounts popular
            items in recommendations. (default: :obj:`0.5`)
        content (float, optional): The weight :math:`w`. (default: :obj:`0.0`)
        k (int, optional): The number of nearest items by features.
            (default: :obj:`10`)
    """
    matrix = task.matrix
    user_count = np.maximum(matrix.sum(axis=1), 1)
    item_count = np.maximum(matrix.sum(axis=0), 1)
    weight = matrix.T @ (matrix / user_count[:, None]).tocsr() * item_count**-target
    if content > 0:
        names = modalities(task.data)
        for name in names:
            weight += (content / len(names)) * feature_graph(task, name, k)
    return _weighted((matrix * item_count**-history).tocsr(), weight.tocsr())


def ease(task: Task, weight: float = 500.0) -> Scorer:
    r"""The linear autoencoder of the `"Embarrassingly Shallow Autoencoders for
    Sparse Data" <https://arxiv.org/abs/1905.03375>`_ paper.

    Args:
        task (Task): The data.
        weight (float, optional): The weight of the squared norm.
            (default: :obj:`500`)
    """
    gram = torch.from_numpy((task.matrix.T @ task.matrix).toarray())
    gram.diagonal().add_(weight)
    precision = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    out = precision.div_(-precision.diagonal().clone())
    out.fill_diagonal_(0.0)
    return _weighted(task.matrix, out.contiguous().numpy())


def feature_graph(task: Task, modality: str, k: int) -> 'csr_array':
    r"""Items linked to their :obj:`k` nearest by cosine of features, normalized
    symmetrically.
    """
    from scipy.sparse import csr_array

    x = item_features(task.data, torch.arange(task.num_items))[modality]
    x = torch.nn.functional.normalize(x, dim=1)
    described = (x != 0).any(dim=1)
    rows = []
    for start in range(0, x.size(0), 1024):
        cosine = x[start : start + 1024] @ x.t()
        cosine[:, ~described] = 0.0
        index = torch.arange(cosine.size(0))
        cosine[index, index + start] = 0.0
        score, item = cosine.clamp_(min=0.0).topk(min(k, x.size(0)), dim=1)
        row = (index + start).view(-1, 1).expand_as(item)
        rows.append((score.flatten(), row.flatten(), item.flatten()))
    parts = [torch.cat(part).numpy() for part in zip(*rows, strict=True)]
    out = csr_array((parts[0], (parts[1], parts[2])), (x.size(0), x.size(0)))
    out.eliminate_zeros()
    rows_sum, cols_sum = (np.maximum(out.sum(axis=i), 1e-12) for i in (1, 0))
    return ((out * rows_sum[:, None] ** -0.5).tocsr() * cols_sum**-0.5).tocsr()


def _weighted(history: 'csr_array', weight: 'csr_array | np.ndarray') -> Scorer:
    def score(users: Tensor) -> Tensor:
        out = history[users.numpy()] @ weight
        return torch.from_numpy(out if isinstance(out, np.ndarray) else out.toarray())

    return score


def _nearest(similarity: 'csr_array', k: int) -> 'csr_array':
    r"""The :obj:`k` largest entries of each row, without the diagonal."""
    from scipy.sparse import csr_array

    similarity.setdiag(0)
    similarity.eliminate_zeros()
    keep = np.zeros(similarity.nnz, dtype=bool)
    for start, stop in zip(similarity.indptr, similarity.indptr[1:], strict=False):
        row = similarity.data[start:stop]
        top = np.argpartition(-row, k - 1)[:k] if row.size > k else np.arange(row.size)
        keep[start + top] = True
    row = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))
    kept = (similarity.data[keep], (row[keep], similarity.indices[keep]))
    return csr_array(kept, similarity.shape)
