r"""Rankings by any scores, and what they find."""

from collections.abc import Callable

import torch
from torch import Tensor

from lgmrec_pyg.evaluation import Evaluator

# Maps users to their scores of all items, a fresh tensor of shape [N, num_items].
Scorer = Callable[[Tensor], Tensor]

CHUNK_NUMEL = 2**23


def embedding_scorer(user_emb: Tensor, item_emb: Tensor) -> Scorer:
    r"""Scores by inner products."""
    return lambda users: user_emb[users] @ item_emb.t()


def restrict(scorer: Scorer, items: Tensor) -> Scorer:
    r"""Scores that leave only some items, given as a mask, to recommend."""
    return lambda users: scorer(users).masked_fill_(~items, -float('inf'))


@torch.no_grad()
def rank(evaluator: Evaluator, scorer: Scorer) -> Tensor:
    r"""The best items of every evaluated user, filled with -1 where none is left."""
    rowptr, col = evaluator.exclude
    k = min(max(evaluator.ks), evaluator.num_items)
    out = []
    rows = torch.arange(evaluator.users.numel())
    for chunk in rows.split(max(1, CHUNK_NUMEL // evaluator.num_items)):
        scores = scorer(evaluator.users[chunk])
        ptr = rowptr[int(chunk[0]) : int(chunk[-1]) + 2]
        row = torch.repeat_interleave(chunk - chunk[0], ptr.diff())
        scores[row, col[ptr[0] : ptr[-1]]] = -float('inf')
        score, item = scores.topk(k)
        out.append(item.masked_fill_(score == -float('inf'), -1))
    return torch.cat(out)


def found(evaluator: Evaluator, ranking: Tensor, pairs: Tensor) -> Tensor:
    r"""Which pairs of evaluated users a ranking holds, a mask."""
    row = torch.searchsorted(evaluator.users, pairs[0])
    return (ranking[row] == pairs[1].view(-1, 1)).any(dim=1)


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
