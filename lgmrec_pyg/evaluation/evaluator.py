from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData
from torch_geometric.metrics import (
    LinkPredMAP,
    LinkPredMetricCollection,
    LinkPredNDCG,
    LinkPredPrecision,
    LinkPredRecall,
)
from torch_geometric.utils import cumsum

from lgmrec_pyg.evaluation.positive import is_positive_integer
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
        lengths = tuple(ks) if isinstance(ks, Iterable) else ()
        if len(lengths) == 0 or not all(map(is_positive_integer, lengths)):
            raise ValueError(f"'ks' needs to hold positive integers (got {ks})")
        if isinstance(exclude_edge_index, EdgeIndex):
            exclude_edge_index = exclude_edge_index.as_tensor()
        for name, index in [
            ('edge_label_index', edge_label_index),
            ('exclude_edge_index', exclude_edge_index),
        ]:
            _check_range(name, index, num_users, num_items)

        self.num_users = num_users
        self.num_items = num_items
        self.ks = lengths
        self.chunk_size = chunk_size

        num_known = torch.bincount(exclude_edge_index[0], minlength=num_users)
        user = edge_label_index[0].unique()
        self.users = user[num_known[user] > 0]
        self.num_skipped = user.numel() - self.users.numel()
        if self.users.numel() == 0:
            raise ValueError(
                f"'edge_label_index' leaves no user to evaluate: it holds "
                f'{user.numel()} users, none of them with a pair in '
                f"'exclude_edge_index'"
            )
        self._label_index = self._relabel(edge_label_index)
        row, col = self._relabel(exclude_edge_index)
        rowptr = cumsum(torch.bincount(row, minlength=self.users.numel()))
        self._exclude = (rowptr, col)

        self._metrics = LinkPredMetricCollection(
            {f'{name}@{k}': cls(k) for name, cls in METRICS.items() for k in self.ks}
        ).to(edge_label_index.device)

    def _relabel(self, edge_index: Tensor) -> Tensor:
        r"""The pairs of evaluated users, sorted, with users numbered anew."""
        row = torch.full((self.num_users,), -1, device=edge_index.device)
        row[self.users] = torch.arange(self.users.numel(), device=row.device)
        pair = row[edge_index[0]] * self.num_items + edge_index[1]
        pair = pair[pair >= 0].unique()
        return torch.stack([pair // self.num_items, pair % self.num_items])

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
        name = f'{split}_edge_label_index'
        if name not in data[INTERACTS]:
            raise ValueError(
                f"'data' needs to hold '{name}' of {INTERACTS} (got "
                f'{list(data[INTERACTS].keys())})'
            )
        if exclude_val and split == 'val':
            raise ValueError(
                "'exclude_val' needs another 'split' than 'val', whose pairs would "
                "not be found (got 'val')"
            )
        known = training_pairs(data)
        if exclude_val:
            known = torch.cat([known, data[INTERACTS].val_edge_label_index], dim=1)
        sizes = data[USER].num_nodes, data[ITEM].num_nodes
        return cls(data[INTERACTS][name], known, *sizes, **kwargs)

    @torch.no_grad()
    def __call__(self, user_emb: Tensor, item_emb: Tensor) -> dict[str, float]:
        for name, emb, size in [
            ('user_emb', user_emb, self.num_users),
            ('item_emb', item_emb, self.num_items),
        ]:
            if emb.size(0) != size:
                raise ValueError(
                    f"'{name}' needs to have {size} rows (got {emb.size(0)})"
                )
            if not bool(emb.isfinite().all()):
                raise ValueError(
                    f"'{name}' holds NaN or infinite values: the model diverged, "
                    f'and its ranking has no meaning'
                )
        _, pred_index = topk(
            user_emb[self.users],
            item_emb,
            k=min(max(self.ks), self.num_items),
            exclude=self._exclude,
            chunk_size=self.chunk_size,
        )
        # The metrics flatten users and items into one index, in which -1 would
        # be an item of the previous user.
        pred_index[pred_index < 0] = self.num_items
        self._metrics.update(pred_index, self._label_index)
        out = {name: float(value) for name, value in self._metrics.compute().items()}
        self._metrics.reset()
        return out

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_users={self.users.numel()}, '
            f'num_labels={self._label_index.size(1)}, '
            f'num_skipped={self.num_skipped}, ks={list(self.ks)})'
        )


def _check_range(name: str, index: Tensor, num_users: int, num_items: int) -> None:
    for kind, values, size in zip(
        ['user', 'item'], index, [num_users, num_items], strict=True
    ):
        bad = values[(values < 0) | (values >= size)]
        if bad.numel() > 0:
            raise ValueError(
                f"'{name}' needs to hold {kind} indices in the range "
                f'[0, {size - 1}] (got {int(bad[0])})'
            )
