import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.utils import scatter

from lgmrec_pyg.datasets.feature_tables import read_feature_tables
from lgmrec_pyg.evaluation.csr_rows import stack_rows
from lgmrec_pyg.graph import ITEM, get_ids
from lgmrec_pyg.recommend.item_regression import ItemRegression


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
    return ItemRegression(data, item_emb)(x_dict)


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
    described = torch.stack([(x != 0).any(dim=1) for x in x_dict.values()]).any(dim=0)
    if not bool(described.all()):
        missing = ids[~described.numpy()].tolist()
        text = f"'features' are all zero for {len(missing)} of {len(ids)} items"
        if len(missing) == len(ids):
            raise ValueError(text)
        warnings.warn(f'{text}, which are left out: {missing[:5]}', stacklevel=3)
    x_dict = {name: x[described] for name, x in x_dict.items()}
    return ids[described.numpy()].tolist(), x_dict
