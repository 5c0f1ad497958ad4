import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.evaluation.topk import topk
from lgmrec_pyg.recommend.ann import ann_topk
from lgmrec_pyg.recommend.embeddings import Embeddings
from lgmrec_pyg.recommend.exclusion import encode, exclusion
from lgmrec_pyg.recommend.new_users import embed_new_users
from lgmrec_pyg.recommend.parquet import write_rankings
from lgmrec_pyg.recommend.recommendations import Recommendations, decode

if TYPE_CHECKING:
    from torch_geometric.nn.pool.knn import KNNIndex


class Recommender(Embeddings):
    r"""Ranks items for users, in the ids that came with the data.

    The score of an item is the inner product of the embeddings of user and item.
    Rankings are exact, unless an approximate index is given.

    .. code-block:: python

        recommender = Recommender.from_model(model, data)
        ids, scores = recommender.recommend('ann', k=10)
        recommender.recommend(['ann', 'bob']).to_frame()
        recommender.similar_items('B00A1').ids
        recommender.to_parquet('top20.parquet', k=20)

    See :class:`Embeddings` for the arguments.
    """

    def recommend(
        self,
        users: Any,
        k: int = 20,
        exclude: str | Sequence[Any] | None = 'seen',
        index: 'KNNIndex | None' = None,
    ) -> Recommendations:
        r"""Returns the items with the highest scores.

        Args:
            users (Any): The id of a user, or a sequence of ids.
            k (int, optional): The number of items; there are fewer if no more
                are left. (default: :obj:`20`)
            exclude (str or Sequence, optional): The items not to recommend:
                :obj:`"seen"` stands for what a user has in training,
                :obj:`None` for nothing, and item ids for these besides those
                seen. (default: :obj:`"seen"`)
            index (KNNIndex, optional): Will rank approximately by this index of
                the items, see :func:`~lgmrec_pyg.recommend.build_index`.
                (default: :obj:`None`)

        Raises:
            ValueError: If ids are unknown, or :obj:`k` is not positive.
        """
        one = _is_one(users)
        rows = encode(self.users, [users] if one else users, 'users')
        score, found = self.rank(rows, k, exclude, index)
        query = users if one else self.users.decode(rows)
        return decode(score, found, self.items, query)

    def recommend_history(self, items: Sequence[Any], k: int = 20) -> Recommendations:
        r"""Returns the items for someone unknown with a history of known items,
        which are not recommended again, see
        :func:`~lgmrec_pyg.recommend.embed_new_users`.

        Args:
            items (Sequence): The ids of the items in the history.
            k (int, optional): The number of items. (default: :obj:`20`)

        Raises:
            ValueError: If ids are unknown, there are none, or :obj:`k` is not
                positive.
        """
        rows = encode(self.items, items, 'items').to(self.item_emb.device)
        user_emb = embed_new_users(self.item_emb, [rows])
        exclude = (torch.tensor([0, rows.numel()], device=rows.device), rows)
        found = topk(user_emb, self.item_emb, min(k, len(self.items)), exclude)
        return decode(*found, self.items, None)

    def similar_items(self, items: Any, k: int = 20) -> Recommendations:
        r"""Returns the items whose embeddings have the highest cosine similarity,
        without the item itself.

        Args:
            items (Any): The id of an item, or a sequence of ids.
            k (int, optional): The number of items. (default: :obj:`20`)

        Raises:
            ValueError: If ids are unknown, or :obj:`k` is not positive.
        """
        one = _is_one(items)
        rows = encode(self.items, [items] if one else items, 'items')
        unit = torch.nn.functional.normalize(self.item_emb, dim=1)
        rows = rows.to(unit.device)
        itself = (torch.arange(rows.numel() + 1, device=rows.device), rows)
        found = topk(unit[rows], unit, min(k, len(self.items)), itself)
        query = items if one else self.items.decode(rows)
        return decode(*found, self.items, query, ('item', 'similar_item'))

    def rank(
        self,
        rows: Tensor,
        k: int,
        exclude: str | Sequence[Any] | None = 'seen',
        index: 'KNNIndex | None' = None,
    ) -> tuple[Tensor, Tensor]:
        r"""Returns scores and indices of items as tensors, see
        :meth:`recommend` and :meth:`~lgmrec_pyg.evaluation.topk`.

        Args:
            rows (torch.Tensor): The indices of users.
            k (int): The number of items.
            exclude (str or Sequence, optional): See :meth:`recommend`.
                (default: :obj:`"seen"`)
            index (KNNIndex, optional): See :meth:`recommend`.
                (default: :obj:`None`)
        """
        rows = rows.to(self.user_emb.device)
        excluded = exclusion(self._seen, rows, exclude, self.items)
        user_emb, k = self.user_emb[rows], min(k, len(self.items))
        if index is None:
            return topk(user_emb, self.item_emb, k, excluded)
        return ann_topk(index, user_emb, self.item_emb, k, excluded)

    def to_parquet(
        self,
        path: str | os.PathLike[str],
        k: int = 20,
        exclude: str | Sequence[Any] | None = 'seen',
        index: 'KNNIndex | None' = None,
    ) -> None:
        r"""Writes the items of all users into a Parquet file with the columns of
        :meth:`Recommendations.to_frame`, in memory that does not grow with the
        number of users, and completely or not at all.

        Args:
            path (str or os.PathLike): The path of the file.
            k (int, optional): See :meth:`recommend`. (default: :obj:`20`)
            exclude (str or Sequence, optional): See :meth:`recommend`.
                (default: :obj:`"seen"`)
            index (KNNIndex, optional): See :meth:`recommend`.
                (default: :obj:`None`)

        Raises:
            ImportError: If :obj:`pyarrow` is not installed.
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        """
        write_rankings(
            path,
            lambda rows: self.rank(rows, k, exclude, index),
            self.users,
            self.items,
            min(k, len(self.items)),
        )


def _is_one(ids: Any) -> bool:
    return isinstance(ids, (str, int, np.integer))
