from copy import copy
from itertools import pairwise

import torch
import torch.distributed as dist
from torch import Tensor

from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.evaluation.csr_rows import select_rows
from lgmrec_pyg.ops.parallel import all_columns, all_nodes
from lgmrec_pyg.ops.processes import Parallel


class ShardedEvaluator:
    r"""An evaluation in which every process ranks the items for its own users. Metrics
    are the sums of all processes over their counts.

    Args:
        evaluator (Evaluator): The evaluation of all users.
        here (Parallel): The processes.

    Shapes:
        - **input:** the embeddings that this process holds of users and of items
        - **output:** the metrics of :class:`~lgmrec_pyg.evaluation.Evaluator`, in
          every process the same
    """

    def __init__(self, evaluator: Evaluator, here: Parallel) -> None:
        self.whole, self.here = evaluator, here
        start, stop = here.bounds(evaluator.num_users)
        users = evaluator.users
        rows = ((users >= start) & (users < stop)).nonzero().flatten()
        row, item = evaluator._label_index
        first = int((users < start).sum())
        mask = (row >= first) & (row < first + rows.numel())
        self.own = copy(evaluator)
        self.own.num_users = stop - start
        self.own.users = users[rows] - start
        self.own.exclude = select_rows(*evaluator.exclude, rows)
        self.own._label_index = torch.stack([row[mask] - first, item[mask]])

    @property
    def metric_names(self) -> list[str]:
        r"""The names of the metrics."""
        return self.whole.metric_names

    @torch.no_grad()
    def __call__(self, user_emb: Tensor, item_emb: Tensor) -> dict[str, float]:
        user_emb, item_emb = own_users(user_emb, item_emb, self.here)
        values = self.own.per_user(user_emb, item_emb)
        sums = torch.stack([x.double().sum() for x in values.values()])
        dist.all_reduce(sums, group=self.here.group)
        mean = (sums / self.whole.users.numel()).tolist()
        return dict(zip(values, mean, strict=True))


@torch.no_grad()
def own_users(
    user_emb: Tensor, item_emb: Tensor, here: Parallel
) -> tuple[Tensor, Tensor]:
    r"""The embeddings of the users of this process, and of all items, of those that it
    holds of either.
    """
    item_emb = all_nodes(all_columns(item_emb))
    if here.by == 'batch':
        return here.part(user_emb), item_emb
    if here.by == 'rows':
        return user_emb, item_emb
    num_users, width = user_emb.size()
    start, stop = here.bounds(num_users)
    size = -(-num_users // here.size)
    ends = [min(i * size, num_users) for i in range(here.size + 1)]
    sizes = [b - a for a, b in pairwise(ends)]
    out = user_emb.new_empty(here.size * (stop - start), width)
    own = [stop - start] * here.size
    dist.all_to_all_single(out, user_emb.contiguous(), own, sizes, here.group)
    parts = out.view(here.size, stop - start, width)
    return parts.transpose(0, 1).reshape(stop - start, -1), item_emb
