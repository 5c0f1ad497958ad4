r"""Metrics of every single user, for models that have scores but no embeddings."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.metrics.link_pred import LinkPredMetricData

from lgmrec_pyg.evaluation import Evaluator

# Maps users to their scores of all items, a fresh tensor of shape [N, num_items].
Scorer = Callable[[Tensor], Tensor]

CHUNK_NUMEL = 2**23


class UserEvaluator(Evaluator):
    r"""An :class:`~lgmrec_pyg.evaluation.Evaluator` that also keeps the metrics
    of every user, and that ranks by any scores.
    """

    @torch.no_grad()
    def per_user(self, scorer: Scorer) -> dict[str, Tensor]:
        r"""One value for each of :obj:`users`, by metric.

        Args:
            scorer (Callable): Maps users to their scores of all items.
        """
        data = LinkPredMetricData(self._rank(scorer), self._label_index)
        return {name: metric._compute(data) for name, metric in self._metrics.items()}

    def _rank(self, scorer: Scorer) -> Tensor:
        rowptr, col = self._exclude
        k = min(max(self.ks), self.num_items)
        out = []
        rows = torch.arange(self.users.numel(), device=self.users.device)
        for chunk in rows.split(max(1, CHUNK_NUMEL // self.num_items)):
            scores = scorer(self.users[chunk])
            first, last = int(chunk[0]), int(chunk[-1]) + 1
            count = rowptr[first : last + 1].diff()
            row = torch.repeat_interleave(chunk - first, count)
            scores[row, col[rowptr[first] : rowptr[last]]] = -float('inf')
            score, index = scores.topk(k)
            # An index beyond all items matches no label.
            out.append(index.masked_fill_(score == -float('inf'), self.num_items))
        return torch.cat(out)


def embedding_scorer(user_emb: Tensor, item_emb: Tensor) -> Scorer:
    r"""Scores by inner products."""
    return lambda users: user_emb[users] @ item_emb.t()


def restrict(scorer: Scorer, items: Tensor) -> Scorer:
    r"""Scores that leave only some items, given as a mask, to recommend."""
    return lambda users: scorer(users).masked_fill_(~items, -float('inf'))
