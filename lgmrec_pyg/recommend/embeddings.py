import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.evaluation.csr_rows import compress, expand, stack_rows
from lgmrec_pyg.graph import (
    INTERACTS,
    ITEM,
    LABELS,
    USER,
    IdMap,
    encode_ids,
    model_inputs,
    training_pairs,
)
from lgmrec_pyg.nn.models.base import unwrap
from lgmrec_pyg.recommend.lookup import id_map, look_up_histories
from lgmrec_pyg.recommend.new_nodes import (
    align_features,
    embed_new_items,
    embed_new_users,
)
from lgmrec_pyg.storage import load_metadata, load_tensors, reading, save_tensors

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = {'format': 'lgmrec_pyg.embeddings', 'version': '3'}


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
        self.user_emb = rankable('user_emb', user_emb)
        self.item_emb = rankable('item_emb', item_emb, self.user_emb.size(1))
        self.users = id_map('user_ids', user_ids, self.user_emb.size(0))
        self.items = id_map('item_ids', item_ids, self.item_emb.size(0))
        pairs = torch.empty(2, 0).long() if seen is None else torch.as_tensor(seen)
        size = len(self.users), len(self.items)
        self._seen = compress('seen', pairs.to(item_emb.device), size)

    @classmethod
    def from_model(cls, model: Any, data: HeteroData, seen: str = 'all') -> 'Self':
        r"""Embeds all users and items once, with the model in evaluation mode;
        what users are known to have is not recommended to them.

        Args:
            model (torch.nn.Module): Any model with
                :obj:`embed(*inputs) -> (user_emb, item_emb)`.
            data (HeteroData): The graph that the model was trained on, after all
                transforms. Ids are those of the graph, if any, see
                :func:`~lgmrec_pyg.graph.set_ids`.
            seen (str, optional): What users have: the pairs of :obj:`"all"`
                splits, or of :obj:`"train"` alone, as evaluation has it.
                (default: :obj:`"all"`)

        Raises:
            ValueError: If :obj:`seen` is unknown, or the graph has other sizes
                than the model.
        """
        if seen not in ('all', 'train'):
            raise ValueError(f"'seen' needs to be 'all' or 'train' (got {seen!r})")
        model = unwrap(model)
        for kind in (USER, ITEM):
            size, known = data[kind].num_nodes, getattr(model, f'num_{kind}s', None)
            if known is not None and known != size:
                raise ValueError(
                    f"'data' needs to have {known} nodes of type '{kind}', as 'model' "
                    f'has (got {size})'
                )
        modes = {module: module.training for module in model.modules()}
        try:
            with torch.no_grad():
                user_emb, item_emb = model.eval().embed(*model_inputs(data))
        finally:
            for module, training in modes.items():  # Without what 'train' draws.
                module.training = training
        ids = IdMap.of(data, USER), IdMap.of(data, ITEM)
        pairs = [training_pairs(data)]
        if seen == 'all':
            pairs += [data[INTERACTS][x] for x in LABELS if x in data[INTERACTS]]
        return cls(user_emb, item_emb, *ids, torch.cat(pairs, dim=1))

    @property
    def seen(self) -> Tensor:
        r"""The pairs :obj:`(user, item)` of indices that are not recommended."""
        return expand(*self._seen)

    def with_items(self, ids: Sequence[Any], item_emb: Tensor) -> 'Self':
        r"""Returns a recommender that knows further items.

        Args:
            ids (Sequence): The ids of the new items.
            item_emb (torch.Tensor): Their embeddings, *e.g.*, those of
                :func:`~lgmrec_pyg.recommend.embed_new_items`.

        Raises:
            ValueError: If an id is known already or of another type, or if the
                number or width of embeddings does not match.
        """
        item_emb = item_emb.to(self.item_emb)
        if item_emb.dim() != 2 or item_emb.size(1) != self.item_emb.size(1):
            raise ValueError(
                f"'item_emb' needs to be of shape [*, {self.item_emb.size(1)}] (got "
                f'{list(item_emb.size())})'
            )
        emb, items = torch.cat([self.item_emb, item_emb]), _extended(self.items, ids)
        return type(self)(self.user_emb, emb, self.users, items, self.seen)

    def with_new_items(
        self, data: HeteroData, features: Any, weight: float = 1.0
    ) -> 'Self':
        r"""Returns a recommender that knows items that came after training, by
        their features alone, see :func:`~lgmrec_pyg.recommend.embed_new_items`.

        Args:
            data (HeteroData): The graph that the model was trained on, as it was
                before its features were standardized.
            features (Dict[str, Any] or str): Their features by their ids, as in
                :meth:`~lgmrec_pyg.datasets.add_item_features`; items may lack
                modalities. Integer ids become strings where known ones are.
            weight (float, optional): What scores of new items are multiplied by, in
                favor of the others if less than one. (default: :obj:`1.0`)

        Raises:
            ValueError: If an id is known already or of another type, if the graph
                holds other items, or if features do not match those of the graph.
        """
        ids, x_dict = align_features(data, self.items.ids, features)
        emb = self.item_emb[: data[ITEM].num_nodes]
        return self.with_items(ids, weight * embed_new_items(data, emb, x_dict))

    def with_users(
        self, ids: Sequence[Any], histories: Sequence[Sequence[Any]]
    ) -> 'Self':
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
        rows = look_up_histories(self.items, histories, 'histories')
        emb = embed_new_users(self.item_emb, rows).to(self.user_emb)
        users, emb = _extended(self.users, ids), torch.cat([self.user_emb, emb])
        pairs = expand(*stack_rows(rows)).to(self.seen.device)
        pairs[0] += len(self.users)
        seen = torch.cat([self.seen, pairs], dim=1)
        return type(self)(emb, self.item_emb, users, self.items, seen)

    def save(self, path: str | os.PathLike[str]) -> None:
        r"""Saves embeddings, ids and the pairs seen in one file in the format of
        :obj:`safetensors`, completely or not at all. Its tensors have the names of
        the arguments of this class; ids are encoded by
        :func:`~lgmrec_pyg.graph.encode_ids`.

        Args:
            path (str or os.PathLike): The path of the file.

        Raises:
            OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        """
        tensors = {
            'user_emb': self.user_emb,
            'item_emb': self.item_emb,
            'user_ids': encode_ids(self.users.ids),
            'item_ids': encode_ids(self.items.ids),
            'seen': self.seen,
        }
        save_tensors(tensors, path, FORMAT)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'Self':
        r"""Loads what :meth:`save` wrote, to the bit. Nothing in the file is
        executed.

        Args:
            path (str or os.PathLike): The path of the file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or in another format.
        """
        metadata = load_metadata(path)
        got = {key: metadata.get(key) for key in FORMAT}
        with reading(path, 'embeddings and ids that this version saved'):
            if got != FORMAT:
                raise ValueError(f'got {got} instead of {FORMAT}')
            arguments: dict[str, Any] = load_tensors(path, checked=True)
            return cls(**arguments)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({len(self.users)}, {len(self.items)}, '
            f'embedding_dim={self.item_emb.size(1)})'
        )


def rankable(name: str, emb: Tensor, width: int | None = None) -> Tensor:
    r"""Returns embeddings that can be ranked, as a contiguous tensor."""
    emb = torch.as_tensor(emb)
    if emb.dim() != 2 or emb.size(0) == 0 or width not in (None, emb.size(1)):
        raise ValueError(
            f"'{name}' needs to be of shape [*, {width or '*'}] with at least one row "
            f'(got {list(emb.size())})'
        )
    if not bool(emb.isfinite().all()):
        raise ValueError(f"'{name}' holds NaN or infinite values: the model diverged")
    return emb.detach().contiguous()


def _extended(known: IdMap, ids: Sequence[Any]) -> list[Any]:
    return known.ids + IdMap(ids).ids
