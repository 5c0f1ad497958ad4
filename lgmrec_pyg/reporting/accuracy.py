from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation import Evaluator, topk
from lgmrec_pyg.graph import INTERACTS, ITEM, training_pairs
from lgmrec_pyg.reporting.intervals import mean_intervals
from lgmrec_pyg.reporting.published import METRICS

CUTOFF = 20
Embed = Callable[[], tuple[Tensor, Tensor]]


class Accuracy(NamedTuple):
    r"""How well a model ranks withheld items.

    Args:
        users (pandas.DataFrame): The metrics of every evaluated user, whose index
            holds the users.
        pairs (pandas.DataFrame): The withheld pairs of these users in the columns
            :obj:`user`, :obj:`item` and :obj:`hit`, which is one if the item is among
            the top 20, and zero otherwise.
    """

    users: pd.DataFrame
    pairs: pd.DataFrame


def withheld_split(data: HeteroData) -> str | None:
    r"""Returns the split to judge a model by: :obj:`"test"`, else :obj:`"val"`, or
    :obj:`None` if no pairs are withheld.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    for split in ('test', 'val'):
        pairs = data[INTERACTS].get(f'{split}_edge_label_index')
        if pairs is not None and pairs.size(1) > 0:
            return split
    return None


def judge(
    data: HeteroData, emb: tuple[Tensor, Tensor], split: str = 'test'
) -> Accuracy:
    r"""Ranks all items for every user with withheld pairs, see
    :class:`~lgmrec_pyg.evaluation.Evaluator`, and returns metrics and hits.

    Args:
        data (HeteroData): The multimodal interaction graph.
        emb (Tuple[torch.Tensor, torch.Tensor]): The embeddings of users and items.
        split (str, optional): The split (:obj:`"val"`, :obj:`"test"`).
            (default: :obj:`"test"`)
    """
    evaluator = Evaluator.from_data(data, split, ks=(10, CUTOFF))
    user_emb, item_emb = emb
    k = min(CUTOFF, item_emb.size(0))
    _, ranking = topk(user_emb[evaluator.users], item_emb, k, evaluator.exclude)
    values = {x: y.numpy() for x, y in evaluator.of_ranking(ranking).items()}
    users = pd.DataFrame(values, index=evaluator.users.numpy())[list(METRICS)]
    user, item = data[INTERACTS][f'{split}_edge_label_index']
    row = torch.full((user_emb.size(0),), -1)
    row[evaluator.users] = torch.arange(len(users))
    user, item = user[row[user] >= 0], item[row[user] >= 0]
    hit = (ranking[row[user]] == item.view(-1, 1)).any(dim=1)
    columns = {'user': user.numpy(), 'item': item.numpy(), 'hit': hit.float().numpy()}
    return Accuracy(users, pd.DataFrame(columns))


def popularity(data: HeteroData) -> tuple[Tensor, Tensor]:
    r"""Returns embeddings that rank items by the number of their training pairs.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    count = torch.bincount(training_pairs(data)[1], minlength=data[ITEM].num_nodes)
    return torch.ones(data['user'].num_nodes, 1), count.float().view(-1, 1)


def degree_groups(degree: np.ndarray, num_groups: int = 4) -> pd.Categorical:
    r"""Puts numbers into groups of about equal size, with equal numbers in the same
    one, called by their range, *e.g.*, :obj:`"3-5"`.

    Args:
        degree (numpy.ndarray): The numbers.
        num_groups (int, optional): The number of groups at most.
            (default: :obj:`4`)
    """
    shares = np.linspace(0, 1, num_groups + 1)[1:]
    upper = np.unique(np.quantile(degree, shares, method='inverted_cdf'))
    number = np.searchsorted(upper, degree)
    names = []
    for i in range(len(upper)):
        low, high = degree[number == i].min(), degree[number == i].max()
        names.append(f'{low}' if low == high else f'{low}-{high}')
    return pd.Categorical.from_codes(number, names, ordered=True)


def by_group(values: pd.Series, groups: pd.Categorical) -> pd.DataFrame:
    r"""Returns means by group with their bootstrap intervals, in the columns
    :obj:`group`, :obj:`count`, :obj:`mean`, :obj:`low` and :obj:`high`.

    Args:
        values (pandas.Series): The values.
        groups (pandas.Categorical): The group of every value.
    """
    rows = []
    for name in groups.categories:
        part = values[groups == name].to_frame()
        rows.append({'group': name, 'count': len(part), **mean_intervals(part).iloc[0]})
    return pd.DataFrame(rows)
