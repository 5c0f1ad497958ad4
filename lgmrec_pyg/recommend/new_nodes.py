from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_geometric.data import HeteroData
from torch_geometric.utils import scatter

from lgmrec_pyg.datasets.feature_tables import read_feature_tables
from lgmrec_pyg.evaluation.csr_rows import stack_rows
from lgmrec_pyg.evaluation.topk import topk
from lgmrec_pyg.graph import (
    ITEM,
    describes,
    edge_index_of,
    get_ids,
    modalities,
    training_pairs,
)

RIDGE = 1.0
NUM_NEIGHBORS = 10
TOLERANCE = 1e-2  # Of unit length, in half precision.


@torch.no_grad()
def embed_new_items(
    data: HeteroData, item_emb: Tensor, x_dict: dict[str, Tensor]
) -> Tensor:
    r"""Embeds items that the model was not trained on, by their features alone:

    .. math::
        \mathbf{e}_i = \hat{\mathbf{e}}_i + \frac{1}{|\mathcal{N}(i)|}
        \sum_{j \in \mathcal{N}(i)} (\mathbf{e}_j - \hat{\mathbf{e}}_j)
        \quad \textrm{with} \quad
        \hat{\mathbf{e}}_i = \mathbf{W}^{\top} \mathbf{x}_i + \mathbf{b}

    :math:`\mathbf{W}` is the ridge regression from the features of all modalities
    to the embeddings of trained items, weighted by :math:`\ln(1 + d_i)` for
    :math:`d_i` training pairs, and :math:`\mathcal{N}(i)` holds the ten trained
    items whose predicted embeddings are closest in direction.
    Where all trained embeddings are of unit length, as for a model that ranks by
    cosines, so are the new ones.
    There is one regression for each set of modalities that new items have, so an
    item that lacks a modality is embedded by the others.

    Args:
        data (HeteroData): The graph that the model was trained on. Its features
            need to be on the scale of :obj:`x_dict`, so before
            :class:`~lgmrec_pyg.transforms.StandardizeFeatures` if those of new
            items are raw; here they are standardized in any case.
        item_emb (torch.Tensor): The item embeddings of the trained model.
        x_dict (Dict[str, torch.Tensor]): The features of the new items by
            modality, with a row per item. All-zero rows stand for items that lack
            the modality, and so do modalities that are left out.

    Shapes:
        - **input:** item embeddings :math:`(|\mathcal{I}|, d)`, features
          :math:`(N, d_m)`
        - **output:** item embeddings :math:`(N, d)`

    Raises:
        ValueError: If features do not match those of the graph or are not
            finite, if a new item has none, or if no item is trained.
    """
    _check(data, x_dict)
    by_cosine = _of_unit_length(item_emb)
    degree = torch.bincount(training_pairs(data)[1], minlength=item_emb.size(0))
    trained = degree > 0
    weight = degree[trained].to(item_emb.dtype).log1p()
    weight = (weight / weight.mean()).view(-1, 1)
    known = {name: _item_features(data, name)[trained] for name in x_dict}
    known_has, new_has = _described(known), _described(x_dict)
    pairs = {name: _standardize(known[name], x) for name, x in x_dict.items()}
    out = item_emb.new_empty(new_has.size(0), item_emb.size(1))
    weight = weight.float()
    for pattern in new_has.unique(dim=0):
        names = [name for name, use in zip(x_dict, pattern, strict=True) if use]
        fit = known_has[:, pattern].any(dim=1)
        rows = (new_has == pattern).all(dim=1)
        if not fit.any():
            raise ValueError(
                f"'x_dict' needs to hold features of every item in modalities that "
                f'trained items have (got {names} of item {int(rows.nonzero()[0])})'
            )
        old, new = (torch.cat([pairs[name][i] for name in names], 1) for i in (0, 1))
        emb = item_emb[trained][fit].float()
        found = _predict(old[fit], emb, weight[fit], new[rows])
        out[rows] = (normalize(found) if by_cosine else found).to(out.dtype)
    return out


def embed_new_users(item_emb: Tensor, histories: Sequence[Tensor]) -> Tensor:
    r"""Embeds users that the model was not trained on, by the mean of the
    embeddings of the items :math:`\mathcal{N}(u)` that they have:

    .. math::
        \mathbf{e}_u = \frac{1}{|\mathcal{N}(u)|}
        \sum_{i \in \mathcal{N}(u)} \mathbf{e}_i

    Their scores are on another scale than those of trained users, which does not
    matter to the ranking of items for a user.

    Args:
        item_emb (torch.Tensor): The item embeddings
            :math:`(|\mathcal{I}|, d)`.
        histories (Sequence[torch.Tensor]): The indices of the items of every new
            user.

    Raises:
        ValueError: If a history is empty.
    """
    rowptr, items = (x.to(item_emb.device) for x in stack_rows(histories))
    empty = (rowptr.diff() == 0).nonzero().flatten()
    if empty.numel() > 0:
        raise ValueError(
            f"'histories' needs to hold at least one item for every user (got none "
            f'for user {int(empty[0])})'
        )
    return torch.nn.functional.embedding_bag(items, item_emb, rowptr[:-1], mode='mean')


def align_features(
    data: HeteroData, known: list[Any], features: Any
) -> tuple[list[Any], dict[str, Tensor]]:
    r"""Returns the ids of the items that features describe, and the features of
    every modality with a row per id, as :func:`embed_new_items` takes them.
    Integer ids become strings where those of the known items are.
    """
    trained = get_ids(data, ITEM) or []  # Others were added since.
    if trained != known[: len(trained)]:
        raise ValueError("'data' needs to hold the items of the recommender")
    tables = read_feature_tables(features)
    rows = {name: table.ids for name, table in tables.items()}
    if isinstance(known[0], str):
        rows = {name: ids.astype(str).astype(object) for name, ids in rows.items()}
    ids = pd.Index(pd.unique(np.concatenate(list(rows.values()))))
    x_dict = {}
    for name, table in tables.items():
        row = torch.from_numpy(ids.get_indexer(rows[name]))
        x_dict[name] = scatter(table.x, row, dim=0, dim_size=len(ids), reduce='mean')
    return ids.tolist(), x_dict


def _predict(source: Tensor, emb: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    mean = (weight * emb).sum(dim=0) / weight.sum()
    weighted = source * weight
    gram = (weighted.t() @ source).double()
    gram.diagonal().add_(RIDGE)
    right = (weighted.t() @ (emb - mean)).double()
    matrix = torch.cholesky_solve(right, torch.linalg.cholesky(gram)).to(emb.dtype)
    fitted, out = source @ matrix, target @ matrix
    out_unit, unit = normalize(out, dim=1), normalize(fitted, dim=1)
    _, neighbor = topk(out_unit, unit, k=min(NUM_NEIGHBORS, emb.size(0)))
    return out + mean + (emb - mean - fitted)[neighbor].mean(dim=1)


def _item_features(data: HeteroData, name: str) -> Tensor:
    x = data[name].x.float()
    node, item = edge_index_of(data[describes(name)])
    return scatter(x[node], item, dim=0, dim_size=data[ITEM].num_nodes, reduce='mean')


def _described(x_dict: dict[str, Tensor]) -> Tensor:
    return torch.stack([(x != 0).any(dim=1) for x in x_dict.values()], dim=1)


def _standardize(known: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    new = new.to(known)
    rows = known[(known != 0).any(dim=1)]
    if rows.size(0) == 0:
        return known, new
    mean, std = rows.mean(dim=0), rows.std(dim=0, correction=0)
    constant = std <= torch.finfo(std.dtype).eps * rows.abs().amax(dim=0)
    scale = torch.where(constant, 0.0, 1.0 / std)
    out = []
    for x in (known, new):
        has = (x != 0).any(dim=1, keepdim=True)
        out.append(normalize((x - mean) * scale * has, dim=1))
    return out[0], out[1]


def _check(data: HeteroData, x_dict: dict[str, Tensor]) -> None:
    if not x_dict or not set(x_dict) <= set(modalities(data)):
        raise ValueError(
            f"'x_dict' needs to hold some of the modalities {modalities(data)} (got "
            f'{list(x_dict)})'
        )
    num_items = next(iter(x_dict.values())).size(0)
    for name, x in x_dict.items():
        shape = [num_items, data[name].num_features]
        if list(x.size()) != shape or not bool(x.isfinite().all()):
            raise ValueError(
                f"'x_dict[{name!r}]' needs to be finite and of shape {shape} (got "
                f'{list(x.size())})'
            )
        too_long = bool((x.float().norm(dim=1) > 1 + TOLERANCE).any())
        if too_long and _of_unit_length(data[name].x):
            raise ValueError(
                f"'x_dict[{name!r}]' needs to be on the scale of 'data': pass the "
                f"graph before 'StandardizeFeatures'"
            )


def _of_unit_length(x: Tensor) -> bool:
    norm = x.float().norm(dim=1)
    norm = norm[norm > 0]
    return norm.numel() > 0 and bool(((norm - 1).abs() < TOLERANCE).all())
