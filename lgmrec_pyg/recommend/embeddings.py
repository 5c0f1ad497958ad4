import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from typing_extensions import Self

from lgmrec_pyg.graph import INTERACTS, ITEM, LABELS, USER, model_inputs, training_pairs
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.recommend.embedding_check import check_embedding, like_known
from lgmrec_pyg.recommend.embeddings_file import load_embeddings, save_embeddings
from lgmrec_pyg.recommend.exclusion import compress
from lgmrec_pyg.recommend.known_ids import encode_histories, extend, id_map
from lgmrec_pyg.recommend.new_items import align_features, embed_new_items
from lgmrec_pyg.recommend.new_users import embed_new_users


class Embeddings:
    r"""The embeddings of users and items with their ids, and what users have
    seen.

    Args:
        user_emb (torch.Tensor): The user embeddings
            :math:`(|\mathcal{U}|, d)`.
        item_emb (torch.Tensor): The item embeddings
            :math:`(|\mathcal{I}|, d)`.
        user_ids (Sequence, optional): The id of every user. If :obj:`None`, will
            use indices. (default: :obj:`None`)
        item_ids (Sequence, optional): The id of every item. If :obj:`None`, will
            use indices. (default: :obj:`None`)
        seen (torch.Tensor, optional): The pairs :obj:`(user, item)` of indices
            that are not recommended, of shape :math:`(2, |\mathcal{E}|)`.
            (default: :obj:`None`)

    Raises:
        ValueError: If sizes do not match, ids repeat, or an embedding is NaN or
            infinite.
    """

    def __init__(
        self,
        user_emb: Tensor,
        item_emb: Tensor,
        user_ids: IdMap | Sequence[Any] | None = None,
        item_ids: IdMap | Sequence[Any] | None = None,
        seen: Tensor | None = None,
    ) -> None:
        self.user_emb = check_embedding('user_emb', user_emb)
        self.item_emb = check_embedding('item_emb', item_emb)
        if user_emb.size(1) != item_emb.size(1):
            raise ValueError(
                f"'user_emb' and 'item_emb' need to be of one width (got "
                f'{user_emb.size(1)} and {item_emb.size(1)})'
            )
        self.users = id_map('user_ids', user_ids, user_emb.size(0))
        self.items = id_map('item_ids', item_ids, item_emb.size(0))
        rowptr, col = compress(seen, len(self.users), len(self.items))
        self._seen = rowptr.to(item_emb.device), col.to(item_emb.device)

    @classmethod
    def from_model(cls, model: Any, data: HeteroData, seen: str = 'all') -> Self:
        r"""Embeds all users and items once, with the model in evaluation mode;
        what users are known to have is not recommended to them.

        Args:
            model (torch.nn.Module): Any model with
                :obj:`embed(*inputs) -> (user_emb, item_emb)`.
            data (HeteroData): The graph that the model was trained on, after all
                transforms. Ids are those of :obj:`data['user'].ids` and
                :obj:`data['item'].ids`, if any.
            seen (str, optional): What users have: the pairs of :obj:`"all"`
                splits, or of :obj:`"train"` alone, as evaluation has it.
                (default: :obj:`"all"`)

        Raises:
            ValueError: If :obj:`seen` is unknown, or the graph has other sizes
                than the model.
        """
        if seen not in ('all', 'train'):
            raise ValueError(f"'seen' needs to be 'all' or 'train' (got {seen!r})")
        for kind in (USER, ITEM):
            size, known = data[kind].num_nodes, getattr(model, f'num_{kind}s', None)
            if known is not None and known != size:
                raise ValueError(
                    f"'data' needs to be the graph that the model was trained on, with "
                    f"{known} nodes of type '{kind}' (got {size})"
                )
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                user_emb, item_emb = model.embed(*model_inputs(data))
        finally:
            model.train(training)
        ids = IdMap.of(data, USER), IdMap.of(data, ITEM)
        pairs = [training_pairs(data)]
        if seen == 'all':
            pairs += [data[INTERACTS][x] for x in LABELS if x in data[INTERACTS]]
        return cls(user_emb, item_emb, *ids, torch.cat(pairs, dim=1))

    @property
    def seen(self) -> Tensor:
        r"""The pairs :obj:`(user, item)` of indices that are not recommended."""
        rowptr, col = self._seen
        row = torch.arange(len(self.users), device=col.device)
        return torch.stack([torch.repeat_interleave(row, rowptr.diff()), col])

    def with_items(self, ids: Sequence[Any], item_emb: Tensor) -> Self:
        r"""Returns a recommender that knows further items.

        Args:
            ids (Sequence): The ids of the new items.
            item_emb (torch.Tensor): Their embeddings, *e.g.*, those of
                :func:`~lgmrec_pyg.recommend.embed_new_items`.

        Raises:
            ValueError: If an id is known already, or the number or width of
                embeddings does not match.
        """
        new = like_known(item_emb, self.item_emb)
        items = extend(self.items, ids, 'item_emb', len(new))
        embedding = torch.cat([self.item_emb, new])
        return type(self)(self.user_emb, embedding, self.users, items, self.seen)

    def with_new_items(self, data: HeteroData, features: Any) -> Self:
        r"""Returns a recommender that knows items that came after training, by
        their features alone, see :func:`~lgmrec_pyg.recommend.embed_new_items`.

        Args:
            data (HeteroData): The graph that the model was trained on, as it was
                before its features were standardized.
            features (Dict[str, Any] or str): The features of the new items by
                their ids, in any of the forms of
                :meth:`~lgmrec_pyg.datasets.add_item_features`; items may lack
                modalities. Integer ids become strings where those of the known
                items are.

        Raises:
            ValueError: If an id is known already or of another type, if the graph
                holds other items, or if features do not match those of the graph.
        """
        self._check_items(data)
        ids, x_dict = align_features(features, self.items)
        known = self.item_emb[: data[ITEM].num_nodes]
        return self.with_items(ids, embed_new_items(data, known, x_dict))

    def with_users(
        self, ids: Sequence[Any], histories: Sequence[Sequence[Any]]
    ) -> Self:
        r"""Returns a recommender that knows further users by the items that they
        have, see :func:`~lgmrec_pyg.recommend.embed_new_users`. These items are
        not recommended to them.

        Args:
            ids (Sequence): The ids of the new users.
            histories (Sequence): The ids of the items of each new user, which
                count once if they repeat.

        Raises:
            ValueError: If an item is unknown, a user is known already, or a
                history is empty.
        """
        rows = encode_histories(self.items, histories, 'histories')
        users = extend(self.users, ids, 'histories', len(rows))
        embedding = embed_new_users(self.item_emb, rows)
        embedding = torch.cat([self.user_emb, embedding.to(self.user_emb.dtype)])
        user = torch.arange(len(self.users), len(self.users) + len(rows))
        count = torch.tensor([row.numel() for row in rows], dtype=torch.long)
        item = torch.cat([count[:0], *rows])
        pairs = torch.stack([user.repeat_interleave(count), item])
        seen = torch.cat([self.seen, pairs.to(self.seen.device)], dim=1)
        return type(self)(embedding, self.item_emb, users, self.items, seen)

    def save(self, path: str | os.PathLike[str]) -> None:
        r"""Saves embeddings, ids and the pairs seen in one file in the format of
        :obj:`safetensors`, completely or not at all.

        Args:
            path (str or os.PathLike): The path of the file.

        Raises:
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        """
        save_embeddings(
            path, self.user_emb, self.item_emb, self.users, self.items, self.seen
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        r"""Loads what :meth:`save` wrote, to the bit. Nothing in the file is
        executed.

        Args:
            path (str or os.PathLike): The path of the file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or in another format.
        """
        arguments = load_embeddings(path)
        try:
            return cls(**arguments)
        except ValueError as error:
            raise ValueError(f"'{os.fspath(path)}' is damaged ({error})") from error

    def _check_items(self, data: HeteroData) -> None:
        if 'ids' not in data[ITEM]:
            return
        ids = IdMap.of(data, ITEM).ids
        # Those after them, if any, were added since.
        for place, pair in enumerate(zip(self.items.ids, ids, strict=False)):
            if pair[0] != pair[1]:
                raise ValueError(
                    f"'data' needs to be the graph that the model was trained on, "
                    f'whose item {place} is {pair[0]!r} (got {pair[1]!r})'
                )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({len(self.users)}, {len(self.items)}, '
            f'embedding_dim={self.item_emb.size(1)})'
        )
