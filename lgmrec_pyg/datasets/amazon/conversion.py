r"""The Amazon product data of 2014, as published by McAuley et al."""

import os
import os.path as osp
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from tqdm import tqdm

from lgmrec_pyg.datasets.amazon.products import REVIEW_KEYS, read_product_texts
from lgmrec_pyg.datasets.json_lines import read_reviews, report_bad
from lgmrec_pyg.datasets.layout import read_ids
from lgmrec_pyg.datasets.splits import k_core, random_split
from lgmrec_pyg.encoders import SentenceEncoder, encode
from lgmrec_pyg.storage import atomic_write, reading

BASE_URL = 'http://snap.stanford.edu/data/amazon/productGraph'
CATEGORIES: dict[str, str] = {
    'baby': 'Baby',
    'sports': 'Sports_and_Outdoors',
    'clothing': 'Clothing_Shoes_and_Jewelry',
}
FILES = {
    'reviews': 'categoryFiles/reviews_{}_5.json.gz',
    'text': 'categoryFiles/meta_{}.json.gz',
    'image': 'image_features/categoryFiles/image_features_{}.b',
}
IMAGE = np.dtype([('asin', 'S10'), ('x', '<f4', (4_096,))])
BLOCK_SIZE = 64
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
    only the features are added. Damaged reviews, products and images are skipped
    with a warning, unless they are more than a few.

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
        ValueError: If a file is damaged.
    """
    inter = f'{name}.inter'
    with _all_or_none(folder, last=inter) as staged:
        if osp.exists(osp.join(folder, inter)):
            asins = read_ids(osp.join(folder, 'item_ids.txt'))
        else:
            reviews = raw_path(folder, name, 'reviews')
            asins = _convert_reviews(reviews, osp.join(staged, inter), seed)
        if 'text' in modalities:
            path = raw_path(folder, name, 'text')
            encoder = text_encoder or SentenceEncoder()
            x = _encode_texts(path, asins, encoder, progress)
            with open(osp.join(staged, 'text_feat.npy'), 'wb') as file:
                np.save(file, x.numpy())
                os.fsync(file.fileno())
        if 'image' in modalities:
            path = raw_path(folder, name, 'image')
            with atomic_write(osp.join(staged, 'image_feat.npy')) as partial:
                convert_image_features(path, partial, asins, progress)


def finish_conversion(folder: str, last: str) -> None:
    r"""Moves the files of a conversion that was killed while they moved."""
    complete = osp.join(folder, '.complete')
    if osp.isdir(complete):
        for name in sorted(os.listdir(complete), key=lambda name: name == last):
            os.replace(osp.join(complete, name), osp.join(folder, name))
        os.rmdir(complete)


@contextmanager
def _all_or_none(folder: str, last: str) -> Iterator[str]:
    finish_conversion(folder, last)
    staged = osp.join(folder, '.staged')
    shutil.rmtree(staged, ignore_errors=True)  # Of a process that was killed.
    os.makedirs(staged)
    try:
        yield staged
        os.rename(staged, osp.join(folder, '.complete'))  # There is no way back.
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    finish_conversion(folder, last)


def _convert_reviews(path: str, target: str, seed: int) -> list[str]:
    frame = _split(read_reviews(path, REVIEW_KEYS), seed)
    if frame.empty:
        raise ValueError(
            f"'{path}' needs to hold users and items with {CORE} reviews (got none)"
        )
    columns = ['userID', 'itemID', 'rating', 'timestamp', 'x_label']
    with atomic_write(target) as partial:
        frame.to_csv(partial, sep='\t', index=False, columns=columns)
    for kind in ('user', 'item'):
        ids = np.unique(frame[f'{kind}_id'])
        path = osp.join(osp.dirname(target), f'{kind}_ids.txt')
        with (
            atomic_write(path) as partial,
            open(partial, 'w', encoding='utf-8') as file,
        ):
            file.writelines(f'{id_}\n' for id_ in ids)
    return list(ids)


def _split(reviews: pd.DataFrame, seed: int) -> pd.DataFrame:
    keys = ['user_id', 'item_id']
    reviews = reviews.sort_values([*keys, 'timestamp'], kind='stable')
    reviews = reviews.drop_duplicates(keys)  # Of repeated reviews, the first counts.
    reviews = reviews[k_core(_edge_index(reviews), CORE).numpy()]
    pairs = _edge_index(reviews)
    user, item, x_label = torch.vstack([pairs, random_split(pairs, seed=seed)]).numpy()
    return reviews.assign(userID=user, itemID=item, x_label=x_label)


def _edge_index(reviews: pd.DataFrame) -> Tensor:
    rows = [reviews[key].factorize(sort=True)[0] for key in ('user_id', 'item_id')]
    return torch.from_numpy(np.stack(rows).astype(np.int64))


def _encode_texts(
    path: str,
    asins: list[str],
    encoder: Callable[[list[str]], Tensor],
    progress: bool,
) -> Tensor:
    texts = read_product_texts(path, set(asins))
    if not texts:
        raise ValueError(f"'{path}' needs to hold the texts of items (got none)")
    found = {asin: texts[asin] for asin in asins if asin in texts}
    cache = osp.join(osp.dirname(path), 'text_cache.sqlite')
    kept = cache if hasattr(encoder, 'name') else None
    x = encode(found, encoder, cache=kept, progress=progress)
    out = torch.full((len(asins), x.size(1)), float('nan'))
    out[[asin in texts for asin in asins]] = x
    return out


def raw_url(name: str, kind: str, base_url: str = BASE_URL) -> str:
    r"""Returns the address of the file of :obj:`"reviews"`, :obj:`"text"` or
    :obj:`"image"` of a dataset.
    """
    return f'{base_url}/{FILES[kind].format(CATEGORIES[name])}'


def raw_path(folder: str, name: str, kind: str) -> str:
    r"""Returns where such a file lies in the folder of a dataset."""
    return osp.join(folder, 'raw', osp.basename(raw_url(name, kind)))


def convert_image_features(
    source: str, target: str, asins: Sequence[str], progress: bool = True
) -> None:
    r"""Converts an :obj:`image_features_*.b` file, in which a record is a product
    code of ten characters and 4,096 little-endian single-precision numbers, to a
    :obj:`.npy` file with one row per item, or :obj:`nan` where it has no image.
    """
    with reading(source, 'undamaged: delete it, and get it again'):
        images = np.memmap(source, IMAGE, 'r')
    x = open_memmap(target, 'w+', np.dtype('<f4'), (len(asins), *IMAGE['x'].shape))
    rows = {asin.encode(): row for row, asin in enumerate(asins)}
    bad: list[str] = []
    for start in tqdm(range(0, len(images), BLOCK_SIZE), disable=not progress):
        block = np.array(images[start : start + BLOCK_SIZE])
        for asin, image in zip(block['asin'].tolist(), block['x'], strict=True):
            row = rows.pop(asin, None)  # Of repeated records, the first one counts.
            if row is not None and np.isfinite(image).all():
                x[row] = image
            elif row is not None:
                x[row] = np.nan
                bad.append(f'{asin.decode()} is not finite')
    x[list(rows.values())] = np.nan
    x.flush()
    if len(rows) == len(asins):
        raise ValueError(f"'{source}' needs to hold images of the items (got none)")
    num_good = len(asins) - len(rows) - len(bad)
    report_bad(source, 'images', ''.join(bad[:1]), num_good, len(bad))
