r"""How items that training never saw stand in the one ranking of all."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from benchmarks.accuracy.judge import Scorer, embedding_scorer, rank, restrict
from benchmarks.accuracy.results import METRIC
from benchmarks.accuracy.task import Task
from benchmarks.withheld import item_features
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import INTERACTS, ITEM
from lgmrec_pyg.recommend import embed_new_items

# Of the embeddings of these items: what they gain by it, others lose.
WEIGHTS = (1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6)
WARM_KEPT = 0.98  # Of the recall of other items, where the two are told as one number.


def judge_cold(task: Task, scorer: Scorer) -> dict[str, float]:
    r"""Recall of the marked items, among all and each other, that of their test pairs
    only, and their share of all recommendations; and recall of the others, among all
    and each other.
    """
    cold = task.data[ITEM].cold
    store = task.data[INTERACTS]
    labels = store.test_edge_label_index
    every = task.evaluator(store.cold_edge_label_index, task.train)
    test = task.evaluator(labels[:, cold[labels[1]]], task.known)
    others = task.evaluator(labels[:, ~cold[labels[1]]], task.known)
    ranking = rank(every, scorer)
    return {
        'users': every.users.numel(),
        'items': int(cold.sum()),
        'among all': _recall(every, ranking),
        'among cold': _recall(every, rank(every, restrict(scorer, cold))),
        'test pairs': _recall(test, rank(test, scorer)),
        'share': float(cold[ranking.clamp(min=0)].float().mean()),
        'warm': _recall(others, rank(others, scorer)),
        'among warm': _recall(others, rank(others, restrict(scorer, ~cold))),
    }


def by_weight(
    task: Task, user_emb: Tensor, item_emb: Tensor
) -> dict[str, dict[str, float]]:
    r"""The same, by the weight of the embeddings of the marked items: those that they
    were trained to, or, if training never saw them, those that
    :meth:`Recommender.with_new_items` gives them.
    """
    items = task.data[ITEM].cold.nonzero().view(-1)
    if task.data[ITEM].cold[task.train[1]].any():
        embedded = item_emb[items]
    else:
        x_dict = item_features(task.data, items)
        described = sum((x != 0).any(dim=1) for x in x_dict.values()) > 0
        items = items[described]
        x_dict = {name: x[described] for name, x in x_dict.items()}
        embedded = embed_new_items(task.data, item_emb, x_dict)
    return {
        str(weight): judge_cold(
            task,
            embedding_scorer(
                user_emb, item_emb.index_copy(0, items, weight * embedded)
            ),
        )
        for weight in WEIGHTS
    }


def where_kept(found: Mapping[str, Mapping[str, float]], name: str) -> float:
    r"""The value where other items keep 98 % of the recall that they have without
    these, between the weights on both sides of it; NaN if there are none.
    """
    kept = np.array([x['warm'] / x['among warm'] for x in found.values()])
    value = np.array([x[name] for x in found.values()])
    order = kept.argsort(kind='stable')
    return float(
        np.interp(WARM_KEPT, kept[order], value[order], left=np.nan, right=np.nan)
    )


def _recall(evaluator: Evaluator, ranking: Tensor) -> float:
    return float(evaluator.of_ranking(ranking)[METRIC].mean())
