from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.metrics import (
    LinkPredMAP,
    LinkPredNDCG,
    LinkPredPrecision,
    LinkPredRecall,
)
from torch_geometric.metrics.link_pred import LinkPredMetricData

from lgmrec_pyg.evaluation.csr_rows import compress, expand, select_rows
from lgmrec_pyg.evaluation.topk import topk
from lgmrec_pyg.graph import INTERACTS, ITEM, USER, training_pairs

METRICS = {
    'Recall': LinkPredRecall,
    'NDCG': LinkPredNDCG,
    'Precision': LinkPredPrecision,
    'MAP': LinkPredMAP,
}


class Evaluator:
    r"""Ranks all items for every user with a withheld item, and reports Recall,
    NDCG, Precision and MAP averaged over these users.

    The items in :obj:`exclude_edge_index`, usually the training pairs, are not
    recommended.
    Users without any pair in there have nothing to be recommended from: they
    are skipped, and :obj:`num_skipped` counts them.

    .. code-block:: python

        evaluator = Evaluator.from_data(data, 'val')
        metrics = evaluator(*model.embed(*inputs))
        print(metrics['Recall@20'])

    Args:
        edge_label_index (torch.Tensor): The withheld pairs
            :obj:`(user, item)` of shape :obj:`[2, num_labels]`.
        exclude_edge_index (torch.Tensor): The pairs :obj:`(user, item)` that
            are known already, of shape :obj:`[2, num_pairs]`.
        num_users (int): The number of users.
        num_items (int): The number of items.
        ks (Sequence[int], optional): The lengths of the ranked lists.
            (default: :obj:`(5, 10, 20, 50)`)
        chunk_size (int, optional): The number of users to score at once, see
            :meth:`topk`. (default: :obj:`None`)

    Shapes:
        - **input:** user embeddings :math:`(|\mathcal{U}|, d)`,
          item embeddings :math:`(|\mathcal{I}|, d)`
        - **output:** one number per metric and length, *e.g.*,
          :obj:`{'Recall@20': 0.1}`

    Raises:
        ValueError: If a length is not positive, if an index is out of range,
            or if no user is left to evaluate.
    """

    def __init__(
        self,
        edge_label_index: Tensor,
        exclude_edge_index: Tensor,
        num_users: int,
        num_items: int,
        ks: Sequence[int] = (5, 10, 20, 50),
        chunk_size: int | None = None,
    ) -> None:
        if len(ks) == 0 or any(not isinstance(k, Integral) or k < 1 for k in ks):
            raise ValueError(f"'ks' needs to hold positive integers (got {ks})")
        size = (num_users, num_items)
        known = compress('exclude_edge_index', exclude_edge_index, size)
        labels = compress('edge_label_index', edge_label_index, size)
        has_label, has_known = labels[0].diff() > 0, known[0].diff() > 0
        self.users = (has_label & has_known).nonzero().flatten()
        if self.users.numel() == 0:
            raise ValueError(
                "'edge_label_index' leaves no user who is in 'exclude_edge_index'"
            )
        self.num_skipped = int(has_label.sum()) - self.users.numel()
        self.num_users = num_users
        self.num_items = num_items
        self.ks = tuple(ks)
        self.chunk_size = chunk_size
        self.exclude = select_rows(*known, self.users)
        self._label_index = expand(*select_rows(*labels, self.users))

    @classmethod
    def from_data(
        cls,
        data: HeteroData,
        split: str = 'test',
        exclude_val: bool = False,
        **kwargs: Any,
    ) -> 'Evaluator':
        r"""Evaluates a split of a multimodal interaction graph, against all items
        but those of the training pairs.

        Args:
            data (HeteroData): The multimodal interaction graph.
            split (str, optional): The split (:obj:`"val"`, :obj:`"test"`).
                (default: :obj:`"test"`)
            exclude_val (bool, optional): If set to :obj:`True`, items of the
                validation pairs are not recommended either, as if they were
                known by the time of the test. (default: :obj:`False`)
            **kwargs (optional): Additional arguments of :class:`Evaluator`.

        Raises:
            ValueError: If the graph has no such split.
        """
        known, pairs = [training_pairs(data)], data[INTERACTS]
        excluded = ['val'] if exclude_val and split != 'val' else []
        for name in (f'{x}_edge_label_index' for x in (*excluded, split)):
            if name not in pairs:
                raise ValueError(
                    f"'data' needs to hold '{name}' of {INTERACTS} (got none)"
                )
            known.append(pairs[name])
        labels = known.pop()
        sizes = data[USER].num_nodes, data[ITEM].num_nodes
        return cls(labels, torch.cat(known, dim=1), *sizes, **kwargs)

    @property
    def metric_names(self) -> list[str]:
        r"""The names of the metrics, *e.g.*, :obj:`"Recall@20"`."""
        return [f'{name}@{k}' for name in METRICS for k in self.ks]

    def __call__(self, user_emb: Tensor, item_emb: Tensor) -> dict[str, float]:
        return _mean(self.per_user(user_emb, item_emb))

    def per_user(self, user_emb: Tensor, item_emb: Tensor) -> dict[str, Tensor]:
        r"""Returns the metrics of every single user, in the order of
        :obj:`users`, the indices of the evaluated users.

        Args:
            user_emb (torch.Tensor): The user embeddings.
            item_emb (torch.Tensor): The item embeddings.
        """
        if (user_emb.size(0), item_emb.size(0)) != (self.num_users, self.num_items):
            raise ValueError(
                f'The embeddings need to have {self.num_users} and {self.num_items} '
                f'rows (got {user_emb.size(0)} and {item_emb.size(0)})'
            )
        if not bool(user_emb.isfinite().all() and item_emb.isfinite().all()):
            raise ValueError('NaN or infinite embeddings: the model diverged')
        k = min(max(self.ks), self.num_items)
        user_emb = user_emb[self.users]
        _, ranking = topk(
            user_emb, item_emb, k, self.exclude, chunk_size=self.chunk_size
        )
        return self.of_ranking(ranking)

    def per_group(
        self,
        user_emb: Tensor,
        item_emb: Tensor,
        groups: Tensor | Mapping[Any, Tensor],
    ) -> dict[Any, dict[str, float]]:
        r"""Returns the metrics of groups of users, *e.g.*, of those with few
        training pairs, and :obj:`num_users`, the number of users that they are
        averaged over. Groups without evaluated users are left out.

        .. code-block:: python

            degree = torch.bincount(training_pairs(data)[0], minlength=num_users)
            groups = {'cold': degree < 5, 'warm': degree >= 5}
            print(evaluator.per_group(user_emb, item_emb, groups)['cold']['Recall@20'])

        Args:
            user_emb (torch.Tensor): The user embeddings.
            item_emb (torch.Tensor): The item embeddings.
            groups (torch.Tensor or Dict[Any, torch.Tensor]): The number of the group
                of every user, or a mask over all users by the name of the group.
        """
        if not isinstance(groups, Mapping):
            number = self._of_every_user('groups', groups)
            groups = {int(group): number == group for group in number.unique()}
        masks = {
            name: self._of_every_user(f'groups[{name!r}]', mask)
            for name, mask in groups.items()
        }
        values, out = self.per_user(user_emb, item_emb), {}
        for name, mask in masks.items():
            row = mask[self.users].nonzero().flatten()
            if row.numel() > 0:
                out[name] = _mean({key: value[row] for key, value in values.items()})
                out[name]['num_users'] = row.numel()
        return out

    def of_ranking(self, ranking: Tensor) -> dict[str, Tensor]:
        r"""Returns the metrics of every single user for rankings by other means
        than embeddings.

        Args:
            ranking (torch.Tensor): The distinct items ranked for each of
                :obj:`users`, best first, without those of :obj:`exclude`, in CSR
                format :obj:`(rowptr, col)`, and filled with :obj:`-1` at the end.
        """
        if ranking.dim() != 2 or ranking.size(0) != self.users.numel():
            raise ValueError(
                f"'ranking' needs to have a row for each of the {self.users.numel()} "
                f"entries of 'users' (got {list(ranking.shape)})"
            )
        # The metrics flatten users and items into one index, in which -1 would
        # be an item of the previous user.
        ranking = ranking.masked_fill(ranking < 0, self.num_items)
        data = LinkPredMetricData(ranking, self._label_index)
        return {
            f'{name}@{k}': metric(k).to(ranking.device)._compute(data).float()
            for name, metric in METRICS.items()
            for k in self.ks
        }

    def _of_every_user(self, name: str, values: Any) -> Tensor:
        values = torch.as_tensor(values, device=self.users.device)
        if values.is_floating_point() or values.size() != (self.num_users,):
            raise ValueError(
                f"'{name}' needs to hold {self.num_users} integers or booleans, one a "
                f'user (got {values.dtype} of shape {list(values.shape)})'
            )
        return values

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_users={self.users.numel()}, '
            f'num_labels={self._label_index.size(1)}, '
            f'num_skipped={self.num_skipped}, ks={list(self.ks)})'
        )


def _mean(values: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.double().mean()) for name, value in values.items()}
