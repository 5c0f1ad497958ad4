r"""The rest of an epoch as the field writes it: negatives drawn in a Python loop,
and a propagation of the whole graph for every batch of evaluated users.
"""

import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.reference import PlainLGMRec

KS = (5, 10, 20, 50)


class PlainSampler:
    r"""Shuffles the pairs of an epoch and rejects negatives one by one."""

    def __init__(self, edge_index: Tensor, batch_size: int = 2048) -> None:
        self.pairs = edge_index.cpu().numpy()
        self.batch_size, self.device = batch_size, edge_index.device
        self.items = np.unique(self.pairs[1]).tolist()
        self.history = {u: set(items) for u, items in _by_user(edge_index).items()}

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        pairs = self.pairs[:, np.random.permutation(self.pairs.shape[1])]
        for start in range(0, pairs.shape[1], self.batch_size):
            user, pos = pairs[:, start : start + self.batch_size]
            neg = np.array([self._negative(u) for u in user.tolist()])
            yield self._tensor(user), self._tensor(pos), self._tensor(neg)

    def _negative(self, user: int) -> int:
        while True:
            item: int = random.choice(self.items)
            if item not in self.history[user]:
                return item

    def _tensor(self, ids: np.ndarray) -> Tensor:
        return torch.from_numpy(ids).to(self.device)


class PlainEvaluator:
    r"""Ranks all items but those of the training pairs, and compares the lists
    with the withheld items user by user.
    """

    def __init__(
        self,
        label: Tensor,
        train: Tensor,
        batch_size: int = 4096,
        ks: tuple[int, ...] = KS,
    ) -> None:
        self.ks = ks
        known, wanted = _by_user(train), _by_user(label)
        users = [user for user in wanted if user in known]
        self.relevant = [wanted[user] for user in users]
        self.users = torch.tensor(users, device=label.device).split(batch_size)
        self.masks = []
        for start in range(0, len(users), batch_size):
            pairs = [
                (row, item)
                for row, user in enumerate(users[start : start + batch_size])
                for item in known[user]
            ]
            self.masks.append(torch.tensor(pairs, device=label.device).t())

    @torch.no_grad()
    def __call__(self, model: PlainLGMRec) -> dict[str, float]:
        model.eval()
        ranking = []
        for users, (row, col) in zip(self.users, self.masks, strict=True):
            out, _ = model()
            e_user, e_item = out.split([model.num_users, model.num_items])
            scores = e_user[users] @ e_item.t()
            scores[row, col] = -torch.inf
            ranking.append(scores.topk(max(self.ks), dim=1).indices)
        ranked = torch.cat(ranking).tolist()
        hits = np.array(
            [
                [item in relevant for item in items]
                for items, relevant in zip(ranked, self.relevant, strict=True)
            ]
        )
        return _metrics(
            hits, np.array([len(items) for items in self.relevant]), self.ks
        )


def _metrics(
    hits: np.ndarray, num_relevant: np.ndarray, ks: tuple[int, ...]
) -> dict[str, float]:
    rank = np.arange(1, hits.shape[1] + 1)
    best = rank <= num_relevant.reshape(-1, 1)
    found = hits.cumsum(axis=1)
    gain = (hits / np.log2(rank + 1)).cumsum(axis=1)
    ideal = (best / np.log2(rank + 1)).cumsum(axis=1)
    precision = (hits * found / rank).cumsum(axis=1)
    table = {
        'Recall': found / num_relevant.reshape(-1, 1),
        'NDCG': gain / ideal,
        'Precision': found / rank,
        'MAP': precision / best.cumsum(axis=1),
    }
    return {
        f'{name}@{k}': float(values[:, k - 1].mean())
        for name, values in table.items()
        for k in ks
    }


def _by_user(edge_index: Tensor) -> dict[int, list[int]]:
    out: dict[int, list[int]] = {}
    for user, item in edge_index.t().tolist():
        out.setdefault(user, []).append(item)
    return out
