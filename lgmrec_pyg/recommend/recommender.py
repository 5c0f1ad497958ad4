import os
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.utils import cumsum


from lgmrec_pyg.evaluation.topk import at_least_single, topk
from lgmrec_pyg.recommend.ann import ann_topk
from lgmrec_pyg.recommend.embeddings import Embeddings
from lgmrec_pyg.recommend.exclusion import exclusion
from lgmrec_pyg.recommend.known_ids import encode, encode_histories, is_collection
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
        unknown: str = 'error',
    ) -> Recommendations:
        r"""Returns the items with the highest scores.

        Args:
            users (Any): The id of a user, or a sequence of ids.
            k (int, optional): The number of items; there are fewer if no more
                are left. (default: :obj:`20`)
            exclude (str or Sequence, optional): The items not to recommend:
                :obj:`"seen"` stands for what a user is known to have, see
                :meth:`from_model`, :obj:`None` for nothing, and item ids for
                these besides those seen. (default: :obj:`"seen"`)
            index (KNNIndex, optional): Will rank approximately by this index of
                the items, see :func:`~lgmrec_pyg.recommend.build_index`.
                (default: :obj:`None`)
            unknown (str, optional): What to do about unknown users: raise an
                :obj:`"error"`, or :obj:`"skip"` them, such that
                :obj:`Recommendations.query` holds the known ones. One unknown
                user alone then gets no items. (default: :obj:`"error"`)

        Raises:
            ValueError: If ids are unknown or of another type, or :obj:`k` is no
                positive integer.
        """
        one = _is_one(users)
        rows = encode(self.users, [users] if one else users, 'users', unknown)
        score, found = self.rank(rows, k, exclude, index)
        query = users if one else self.users.decode(rows)
        return decode(score, found, self.items, query, self.users)

    def recommend_history(self, items: Any, k: int = 20) -> Recommendations:
        r"""Returns the items for someone unknown with a history of known items,
        which are not recommended again, see
        :func:`~lgmrec_pyg.recommend.embed_new_users`.

        .. code-block:: python

            recommender.recommend_history(['B00A1', 'B00B2']).ids
            recommender.recommend_history([['B00A1', 'B00B2'], ['B00C3']]).ids

        Args:
            items (Sequence): The ids of the items in the history, which count
                once if they repeat, or a sequence of histories. The table of
                several numbers them from 0 on in the column :obj:`history`.
            k (int, optional): The number of items. (default: :obj:`20`)

        Raises:
            ValueError: If ids are unknown, a history is empty, or :obj:`k` is no
                positive integer.
        """
        several = _are_several(items)
        rows = encode_histories(self.items, items if several else [items], 'items')
        rows = [row.to(self.item_emb.device) for row in rows]
        user_emb = embed_new_users(self.item_emb, rows)
        count = torch.tensor([row.numel() for row in rows], device=rows[0].device)
        exclude = cumsum(count), torch.cat(rows)
        found = topk(user_emb, self.item_emb, self._at_most(k), exclude)
        query = list(range(len(rows))) if several else None
        return decode(*found, self.items, query, names=('history', 'item'))

    def similar_items(
        self, items: Any, k: int = 20, unknown: str = 'error'
    ) -> Recommendations:
        r"""Returns the items whose embeddings have the highest cosine similarity,
        without the item itself.

        Args:
            items (Any): The id of an item, or a sequence of ids.
            k (int, optional): The number of items. (default: :obj:`20`)
            unknown (str, optional): See :meth:`recommend`.
                (default: :obj:`"error"`)

        Raises:
            ValueError: If ids are unknown or of another type, or :obj:`k` is no
                positive integer.
        """
        one = _is_one(items)
        rows = encode(self.items, [items] if one else items, 'items', unknown)
        emb, _ = at_least_single(self.item_emb, self.item_emb)
        unit = torch.nn.functional.normalize(emb, dim=1)
        rows = rows.to(unit.device)
        itself = (torch.arange(rows.numel() + 1, device=rows.device), rows)
        found = topk(unit[rows], unit, self._at_most(k), itself)
        query = items if one else self.items.decode(rows)
        names = 'item', 'similar_item'
        return decode(*found, self.items, query, self.items, names)

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
        user_emb, k = self.user_emb[rows], self._at_most(k)
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
            path (str or os.PathLike): The path of the file, which ends in
                :obj:`.parquet` or :obj:`.pq`.
            k (int, optional): See :meth:`recommend`. (default: :obj:`20`)
            exclude (str or Sequence, optional): See :meth:`recommend`.
                (default: :obj:`"seen"`)
            index (KNNIndex, optional): See :meth:`recommend`.
                (default: :obj:`None`)

        Raises:
            ImportError: If :obj:`pyarrow` is not installed.
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
            ValueError: If :obj:`path` ends otherwise, or see :meth:`recommend`.
        """
        write_rankings(
            path,
            lambda rows: self.rank(rows, k, exclude, index),
            self.users,
            self.items,
            self._at_most(k),
        )

    def _at_most(self, k: int) -> int:
        return min(positive_integer('k', k), len(self.items))


def _is_one(ids: Any) -> bool:
    return isinstance(ids, (str, int, np.integer))


def _are_several(histories: Any) -> bool:
    return is_collection(histories) and any(map(is_collection, islice(histories, 1)))
