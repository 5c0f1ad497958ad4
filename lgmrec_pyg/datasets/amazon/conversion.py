import os.path as osp
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lgmrec_pyg.datasets.amazon.image_features import convert_image_features
from lgmrec_pyg.datasets.amazon.publish import publish_together
from lgmrec_pyg.datasets.amazon.raw import raw_path, read_product_texts, read_reviews
from lgmrec_pyg.datasets.interactions.k_core import k_core
from lgmrec_pyg.datasets.interactions.splits import random_split
from lgmrec_pyg.datasets.layout import read_ids
from lgmrec_pyg.encoders import SentenceEncoder, encode

if TYPE_CHECKING:
    import pandas as pd

CORE = 5


def convert_amazon(
    folder: str,
    name: str,
    modalities: Sequence[str],
    text_encoder: Callable[[list[str]], Tensor] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> None:
    r"""Converts files of the Amazon product data in :obj:`<folder>/raw` to the
    layout of :class:`~lgmrec_pyg.datasets.MultimodalDataset` in
    :obj:`<folder>`, all of them or none.

    Users and items are those of the 5-core, sorted by their ids. A tenth of the
    interactions of every user is drawn for validation, and another one for test.
    In case the folder holds interactions already, they are kept, and
    only the features are added.

    Args:
        folder (str): The path of the folder.
        name (str): The name of the dataset (:obj:`"baby"`, :obj:`"sports"`,
            :obj:`"clothing"`).
        modalities (List[str]): The modalities to convert (:obj:`"image"`,
            :obj:`"text"`).
        text_encoder (callable, optional): The encoder of the product texts. If
            :obj:`None`, will use
            :class:`~lgmrec_pyg.encoders.SentenceEncoder`.
            (default: :obj:`None`)
        seed (int, optional): The seed of the split. (default: :obj:`0`)
        progress (bool, optional): If set to :obj:`False`, will not show
            progress bars. (default: :obj:`True`)

    Raises:
        ValueError: If a file is damaged or malformed.
    """
    inter, item_ids = f'{name}.inter', osp.join(folder, 'item_ids.txt')
    with publish_together(folder, last=inter) as staged:
        if osp.exists(osp.join(folder, inter)):
            asins = read_ids(item_ids)
        else:
            path = raw_path(folder, name, 'reviews')
            asins = _convert_reviews(path, osp.join(staged, inter), seed)
        if 'text' in modalities:
            path = raw_path(folder, name, 'text')
            encoder = text_encoder or SentenceEncoder()
            x = _encode_texts(path, asins, encoder, progress)
            np.save(osp.join(staged, 'text_feat.npy'), x.numpy(), allow_pickle=False)
        if 'image' in modalities:
            target = osp.join(staged, 'image_feat.npy')
            path = raw_path(folder, name, 'image')
            convert_image_features(path, target, asins, progress)


def split_reviews(reviews: 'pd.DataFrame', seed: int = 0) -> 'pd.DataFrame':
    r"""Returns the interactions of the 5-core of reviews, with the columns
    :obj:`userID`, :obj:`itemID` and :obj:`x_label` in addition.

    Of repeated reviews of an item by the same user, the first one counts.

    Args:
        reviews (pandas.DataFrame): The reviews, as of :meth:`read_reviews`.
        seed (int, optional): The seed of the split. (default: :obj:`0`)
    """
    keys = ['user_id', 'item_id']
    reviews = reviews.sort_values([*keys, 'timestamp'], kind='stable')
    reviews = reviews.drop_duplicates(keys)
    reviews = reviews[k_core(_edge_index(reviews), CORE).numpy()]
    edge_index = _edge_index(reviews)
    user, item = edge_index.numpy()
    x_label = random_split(edge_index, seed=seed).numpy()
    return reviews.assign(userID=user, itemID=item, x_label=x_label)


def _convert_reviews(path: str, target: str, seed: int) -> list[str]:
    frame = split_reviews(read_reviews(path), seed)
    if frame.empty:
        raise ValueError(
            f"'{path}' needs to hold users and items with at least {CORE} reviews "
            f'of each other (got none)'
        )
    columns = ['userID', 'itemID', 'rating', 'timestamp', 'x_label']
    frame[columns].to_csv(target, sep='\t', index=False, lineterminator='\n')
    for kind in ('user', 'item'):
        ids = sorted(frame[f'{kind}_id'].unique())
        ids_path = osp.join(osp.dirname(target), f'{kind}_ids.txt')
        with open(ids_path, 'w', encoding='utf-8', newline='\n') as file:
            file.writelines(f'{id_}\n' for id_ in ids)
    return ids


def _encode_texts(
    path: str,
    asins: list[str],
    encoder: Callable[[list[str]], Tensor],
    progress: bool,
) -> Tensor:
    texts = read_product_texts(path, set(asins))
    if not texts:
        raise ValueError(f"'{path}' needs to hold the texts of items (got none)")
    row = [index for index, asin in enumerate(asins) if asin in texts]
    cache = osp.join(osp.dirname(path), 'text_cache.sqlite')
    x = encode(
        [texts[asins[index]] for index in row],
        encoder,
        cache=cache if hasattr(encoder, 'name') else None,
        progress=progress,
    )
    out = torch.full((len(asins), x.size(1)), float('nan'))
    out[row] = x
    return out


def _edge_index(reviews: 'pd.DataFrame') -> Tensor:
    pairs = [
        np.unique(reviews[key].to_numpy(dtype=str), return_inverse=True)[1]
        for key in ('user_id', 'item_id')
    ]
    return torch.from_numpy(np.stack(pairs))
