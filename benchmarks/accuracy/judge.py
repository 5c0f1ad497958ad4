r"""Ranks all items by any scores, and says how good that is for every user."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.utils import cumsum

from lgmrec_pyg.evaluation import Evaluator

# Maps users to their scores of all items, a fresh tensor of shape [N, num_items].
Scorer = Callable[[Tensor], Tensor]

CHUNK_NUMEL = 2**23
KS = (10, 20)
K = max(KS)


class Judge:
    r"""Holds rankings of all items but the known ones against withheld pairs, for
    users that have both.
    """

    def __init__(
        self, labels: Tensor, known: Tensor, num_users: int, num_items: int
    ) -> None:
        self.num_items = num_items
        user = labels[0].unique()
        self.users = user[torch.isin(user, known[0])]
        self._row = torch.full((num_users,), -1)
        self._row[self.users] = torch.arange(self.users.numel())
        self.labels = self._pairs(labels)
        row, self._known = self._pairs(known)
        self._rowptr = cumsum(torch.bincount(row, minlength=self.users.numel()))

    def _pairs(self, pairs: Tensor) -> Tensor:
        r"""The distinct pairs of judged users, who are numbered anew, sorted."""
        key = self._row[pairs[0]] * self.num_items + pairs[1]
        key = key[key >= 0].unique()
        return torch.stack([key // self.num_items, key % self.num_items])

    @torch.no_grad()
    def rank(self, scorer: Scorer) -> Tensor:
        r"""The best items of each of :obj:`users`, of shape :math:`(N, 20)`, filled
        with -1 where nothing is left.
        """
        out = torch.full((self.users.numel(), K), -1)
        k = min(K, self.num_items)
        rows = torch.arange(self.users.numel())
        for chunk in rows.split(max(1, CHUNK_NUMEL // self.num_items)):
            scores = scorer(self.users[chunk])
            ptr = self._rowptr[int(chunk[0]) : int(chunk[-1]) + 2]
            row = torch.repeat_interleave(chunk - chunk[0], ptr.diff())
            scores[row, self._known[ptr[0] : ptr[-1]]] = -float('inf')
            score, item = scores.topk(k)
            out[chunk, :k] = item.masked_fill_(score == -float('inf'), -1)
        return out

    def hits(self, ranking: Tensor) -> Tensor:
        r"""Which places of a ranking hold a label, a mask of its shape."""
        row = torch.arange(ranking.size(0)).view(-1, 1)
        key = (row * self.num_items + ranking).masked_fill_(ranking < 0, -1)
        return torch.isin(key, self.labels[0] * self.num_items + self.labels[1])

    def found(self, ranking: Tensor) -> Tensor:
        r"""Which of :obj:`labels` a ranking holds, a mask."""
        row, place = self.hits(ranking).nonzero().t()
        key = row * self.num_items + ranking[row, place]
        return torch.isin(self.labels[0] * self.num_items + self.labels[1], key)

    def per_user(self, ranking: Tensor) -> dict[str, Tensor]:
        r"""One value for each of :obj:`users`, by metric."""
        # Places take the place of items, the same for all users, so that rankings
        # by whatever scores meet the metrics of the library: labels are the places
        # that hit and, beyond the ranking, as many as were missed.
        hits = self.hits(ranking)
        user = torch.arange(self.users.numel())
        missed = torch.bincount(self.labels[0], minlength=user.numel()) - hits.sum(1)
        row = user.repeat_interleave(missed)
        beyond = K + torch.arange(row.numel()) - cumsum(missed)[row]
        last = K + int(missed.max())
        evaluator = Evaluator(
            torch.cat([hits.nonzero().t(), torch.stack([row, beyond])], dim=1),
            torch.stack([user, torch.full_like(user, last)]),
            user.numel(),
            last + 1,
            ks=KS,
        )
        scores = torch.arange(last, -1, -1.0).view(-1, 1)
        return per_user(evaluator, torch.ones(user.numel(), 1), scores)


def per_user(
    evaluator: Evaluator, user_emb: Tensor, item_emb: Tensor
) -> dict[str, Tensor]:
    r"""The metrics of every user that has labels."""
    from torch_geometric.metrics.link_pred import LinkPredMetricData

    from lgmrec_pyg.evaluation import topk

    _, ranking = topk(user_emb, item_emb, K, exclude=evaluator._exclude)
    data = LinkPredMetricData(ranking, evaluator._label_index)
    return {name: metric._compute(data) for name, metric in evaluator._metrics.items()}


def embedding_scorer(user_emb: Tensor, item_emb: Tensor) -> Scorer:
    r"""Scores by inner products."""
    return lambda users: user_emb[users] @ item_emb.t()


def restrict(scorer: Scorer, items: Tensor) -> Scorer:
    r"""Scores that leave only some items, given as a mask, to recommend."""
    return lambda users: scorer(users).masked_fill_(~items, -float('inf'))


def groups(count: Tensor, value: Tensor, num_groups: int = 4) -> dict[str, list[float]]:
    r"""The mean of values by quantiles of a count, named by their range, with how
    many there are of each.
    """
    q = torch.linspace(0, 1, num_groups + 1, dtype=torch.double)[1:-1]
    group = torch.bucketize(count, count.double().quantile(q).ceil().long().unique())
    out = {}
    for g in group.unique().tolist():
        low, high = (int(x) for x in count[group == g].aminmax())
        name = f'{low}-{high}' if low < high else f'{low}'
        mean = float(value[group == g].float().mean())
        out[name] = [int((group == g).sum()), round(mean, 6)]
    return out
