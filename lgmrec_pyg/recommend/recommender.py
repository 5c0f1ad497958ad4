import os
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lgmrec_pyg.evaluation.csr_rows import Rows, compress, stack_rows
from lgmrec_pyg.evaluation.topk import at_least_single
from lgmrec_pyg.recommend.embeddings import Embeddings
from lgmrec_pyg.recommend.lookup import Query, are_several, look_up, look_up_histories
from lgmrec_pyg.recommend.new_nodes import embed_new_users
from lgmrec_pyg.recommend.ranking import Exclude, exclusion, rank, rank_similar
from lgmrec_pyg.recommend.recommendations import Recommendations, decode, write_parquet

if TYPE_CHECKING:
    from torch_geometric.nn.pool.knn import KNNIndex


class Recommender(Embeddings):
    r"""Ranks items for users, in the ids that came with the data.

    The score of an item is the inner product of the embeddings of user and item.
    Rankings are exact, unless an approximate index is given.

    .. code-block:: python

        recommender = Recommender.from_model(model, data)
        ids, scores = recommender.recommend('ann', k=10)
        recommender.recommend(['ann', 'bob'], exclude={'bob': ['B00A1']}).to_frame()
        recommender.recommend('zoe', unknown='popular', items=['B00A1', 'B00B2']).ids
        recommender.similar_items('B00A1').ids
        recommender.users_for_item('B00A1').ids
        recommender.to_parquet('top20.parquet', k=20)

    See :class:`Embeddings` for the arguments.
    """

    def recommend(
        self,
        users: Any,
        k: int = 20,
        exclude: Exclude = 'seen',
        index: 'KNNIndex | None' = None,
        unknown: str = 'error',
        items: Sequence[Any] | None = None,
        include_seen: bool = False,
    ) -> Recommendations:
        r"""Returns the items with the highest scores.

        Args:
            users (Any): The id of a user, or a sequence of ids.
            k (int, optional): The number of items; there are fewer if no more
                are left. (default: :obj:`20`)
            exclude (str or Sequence or Mapping, optional): The items not to recommend:
                :obj:`"seen"` stands for what a user is known to have, see
                :meth:`from_model`, :obj:`None` for nothing, and item ids for
                these besides those seen, for everyone or by a mapping from user
                ids. Unknown ids in there do not matter. (default: :obj:`"seen"`)
            index (KNNIndex, optional): Will rank approximately by this index of
                the items, see :func:`~lgmrec_pyg.recommend.build_index`.
                (default: :obj:`None`)
            unknown (str, optional): What to do about unknown ids: raise an
                :obj:`"error"`, :obj:`"skip"` them, such that
                :obj:`Recommendations.query` holds the known ones, or recommend
                what is :obj:`"popular"`, scored by the number of users who have
                it. One skipped user alone gets no items. (default: :obj:`"error"`)
            items (Sequence, optional): The ids of the items to rank, without
                :obj:`index`. If :obj:`None`, will rank all items.
                (default: :obj:`None`)
            include_seen (bool, optional): If set to :obj:`True`, may recommend
                what was seen. (default: :obj:`False`)

        Raises:
            ValueError: If ids are unknown or of another type, or :obj:`k` is no
                positive integer.
        """
        query = look_up(self.users, users, 'users', unknown)
        found = self._rank(query, k, exclude, index, items, include_seen, unknown)
        return decode(*found, self.items, query, self.users)

    def recommend_history(
        self,
        items: Any,
        k: int = 20,
        exclude: Exclude = 'seen',
        unknown: str = 'error',
        include_seen: bool = False,
    ) -> Recommendations:
        r"""Returns the items for someone unknown with a history of known items,
        see :func:`~lgmrec_pyg.recommend.embed_new_users`.

        Args:
            items (Sequence): The ids of the items in the history, each of which
                counts once, or a sequence of histories, numbered from 0 on.
            k (int, optional): The number of items. (default: :obj:`20`)
            exclude (str or Sequence or Mapping, optional): See :meth:`recommend`,
                where :obj:`"seen"` stands for the history, and a mapping is from
                the numbers of histories. (default: :obj:`"seen"`)
            unknown (str, optional): What to do about unknown items, and about
                histories without known ones, see :meth:`recommend`.
                (default: :obj:`"error"`)
            include_seen (bool, optional): See :meth:`recommend`.
                (default: :obj:`False`)

        Raises:
            ValueError: If a history is empty, or see :meth:`recommend`.
        """
        several = are_several(items)
        histories = items if several else [items]
        rows = look_up_histories(self.items, histories, 'items', unknown)
        ids = [i for i, row in enumerate(rows) if row.numel() or unknown != 'skip']
        rows = [rows[i] for i in ids]
        rowptr, col = (x.to(self.item_emb.device) for x in stack_rows(rows))
        places = torch.arange(len(rows)).masked_fill(rowptr.diff().cpu() == 0, -1)
        if unknown == 'popular':  # Nothing is ranked by these embeddings.
            rows = [row if row.numel() else row.new_zeros(1) for row in rows]
        emb = embed_new_users(self.item_emb, rows)
        query = Query(ids, places, not several)
        excluded = exclusion((rowptr, col), query, exclude, include_seen, self.items)
        found = rank(query, emb, self.item_emb, k, excluded, self._popularity)
        return decode(*found, self.items, query, names=('history', 'item'))

    def similar_items(
        self, items: Any, k: int = 20, unknown: str = 'error', exclude: Exclude = ()
    ) -> Recommendations:
        r"""Returns the items whose embeddings have the highest cosine similarity,
        without the item itself.

        Args:
            items (Any): The id of an item, or a sequence of ids.
            k (int, optional): The number of items. (default: :obj:`20`)
            unknown (str, optional): See :meth:`recommend`.
                (default: :obj:`"error"`)
            exclude (Sequence or Mapping, optional): The ids of items not to return
                either, for all or by a mapping from item ids. (default: :obj:`()`)
        """
        query = look_up(self.items, items, 'items', unknown)
        tables = self.items, self.item_emb, self._popularity
        found = rank_similar(query, *tables, k, exclude)
        return decode(*found, self.items, query, self.items, ('item', 'similar_item'))

    def similar_users(
        self, users: Any, k: int = 20, unknown: str = 'error', exclude: Exclude = ()
    ) -> Recommendations:
        r"""Returns the users whose embeddings have the highest cosine similarity,
        without the user, see :meth:`similar_items`. Where :obj:`unknown` is
        :obj:`"popular"`, unknown users are similar to those who have most items.
        """
        query = look_up(self.users, users, 'users', unknown)
        tables = self.users, self.user_emb, self._activity
        found = rank_similar(query, *tables, k, exclude)
        return decode(*found, self.users, query, self.users, ('user', 'similar_user'))

    def users_for_item(
        self,
        items: Any,
        k: int = 20,
        exclude: Exclude = 'seen',
        unknown: str = 'error',
        include_seen: bool = False,
    ) -> Recommendations:
        r"""Returns the users for whom an item has the highest scores, without those
        who are known to have it: :meth:`recommend` with users and items swapped.
        """
        query = look_up(self.items, items, 'items', unknown)
        excluded = exclusion(self._owners, query, exclude, include_seen, self.users)
        emb = self.item_emb[query.rows]
        found = rank(query, emb, self.user_emb, k, excluded, self._activity)
        return decode(*found, self.users, query, self.items, ('item', 'user'))

    def score(self, users: Any, items: Any) -> Any:
        r"""Returns the score of a pair, or the list of those of several.

        Args:
            users (Any): The id of a user, or a sequence of ids.
            items (Any): The id of an item, or one for each of :obj:`users`. One
                alone on either side is paired with all of the other.
        """
        user = look_up(self.users, users, 'users')
        item = look_up(self.items, items, 'items')
        sizes = user.rows.numel(), item.rows.numel()
        if not (user.is_one or item.is_one or sizes[0] == sizes[1]):
            raise ValueError(f"'items' needs to hold {sizes[0]} ids (got {sizes[1]})")
        emb = at_least_single(self.user_emb[user.rows], self.item_emb[item.rows])
        score = (emb[0] * emb[1]).sum(dim=1).tolist()
        return score[0] if user.is_one and item.is_one else score

    def rank(self, rows: Tensor, k: int, **kwargs: Any) -> tuple[Tensor, Tensor]:
        r"""Returns scores and indices of items as tensors, see
        :meth:`~lgmrec_pyg.evaluation.topk`.

        Args:
            rows (torch.Tensor): The indices of users.
            k (int): The number of items.
            **kwargs (optional): The arguments :obj:`exclude`, :obj:`index`,
                :obj:`items` and :obj:`include_seen` of :meth:`recommend`.
        """
        return self._rank(Query(self.users.decode(rows), rows), k, **kwargs)

    def to_parquet(
        self, path: str | os.PathLike[str], k: int = 20, **kwargs: Any
    ) -> None:
        r"""Writes the items of all users into a Parquet file with the columns of
        :meth:`Recommendations.to_frame`, in memory that does not grow with the
        number of users, and completely or not at all.

        Args:
            path (str or os.PathLike): The path of the file, which ends in
                :obj:`.parquet` or :obj:`.pq`.
            k (int, optional): The number of items. (default: :obj:`20`)
            **kwargs (optional): Additional arguments of :meth:`rank`.

        Raises:
            ImportError: If :obj:`pyarrow` is not installed.
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
            ValueError: If :obj:`path` ends otherwise, or see :meth:`recommend`.
        """
        rank = partial(self.rank, **kwargs)
        write_parquet(path, rank, self.users, self.items, k)

    def _rank(
        self,
        query: Query,
        k: int,
        exclude: Exclude = 'seen',
        index: 'KNNIndex | None' = None,
        items: Sequence[Any] | None = None,
        include_seen: bool = False,
        unknown: str = 'error',
    ) -> tuple[Tensor, Tensor]:
        excluded = exclusion(self._seen, query, exclude, include_seen, self.items)
        some = None
        if items is not None:
            some = look_up(self.items, items, 'items', unknown).rows.unique()
        tables = self.user_emb[query.rows], self.item_emb
        return rank(query, *tables, k, excluded, self._popularity, index, some)

    @cached_property
    def _owners(self) -> Rows:
        return compress('seen', self.seen.flip(0), (len(self.items), len(self.users)))

    @cached_property
    def _popularity(self) -> Tensor:
        return torch.bincount(self._seen[1], minlength=len(self.items)).float()

    @cached_property
    def _activity(self) -> Tensor:
        return self._seen[0].diff().float()
