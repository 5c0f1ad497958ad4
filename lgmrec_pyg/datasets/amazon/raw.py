r"""The files of the Amazon product data of 2014, as published by McAuley et al."""

import html
import os.path as osp
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from lgmrec_pyg.datasets.amazon.records import read_records

if TYPE_CHECKING:
    import pandas as pd

BASE_URL = 'http://snap.stanford.edu/data/amazon/productGraph'
CATEGORIES = {
    'baby': 'Baby',
    'sports': 'Sports_and_Outdoors',
    'clothing': 'Clothing_Shoes_and_Jewelry',
}
FILES = {
    'reviews': 'categoryFiles/reviews_{}_5.json.gz',
    'text': 'categoryFiles/meta_{}.json.gz',
    'image': 'image_features/categoryFiles/image_features_{}.b',
}
ASIN = re.compile(rb"""['"]asin['"]\s*:\s*u?['"]([^'"]*)['"]""")
SPACE = re.compile(r'\s+')


def raw_url(name: str, kind: str, base_url: str = BASE_URL) -> str:
    r"""Returns the address of a file of the Amazon product data.

    Args:
        name (str): The name of the dataset (:obj:`"baby"`, :obj:`"sports"`,
            :obj:`"clothing"`).
        kind (str): What the file holds (:obj:`"reviews"`, :obj:`"text"`,
            :obj:`"image"`).
        base_url (str, optional): The address of the folder of all files.
            (default: :obj:`"http://snap.stanford.edu/data/amazon/productGraph"`)
    """
    return f'{base_url}/{FILES[kind].format(CATEGORIES[name])}'


def raw_path(folder: str, name: str, kind: str) -> str:
    r"""Returns the path of a file of the Amazon product data in the folder of a
    dataset.

    Args:
        folder (str): The path of the folder of the dataset.
        name (str): The name of the dataset.
        kind (str): What the file holds, as of :meth:`raw_url`.
    """
    return osp.join(folder, 'raw', osp.basename(raw_url(name, kind)))


def read_reviews(path: str) -> 'pd.DataFrame':
    r"""Reads who reviewed what from a :obj:`reviews_*.json.gz` file.

    Returns a frame with the columns :obj:`user_id`, :obj:`item_id`,
    :obj:`rating` and :obj:`timestamp` (in seconds), and with a row per review.

    Args:
        path (str): The path of the file.

    Raises:
        ValueError: If the file is damaged or malformed, naming the line.
    """
    import pandas as pd

    rows = []
    for number, review in enumerate(read_records(path), 1):
        user_id, item_id = review.get('reviewerID'), review.get('asin')
        for key, value in [('reviewerID', user_id), ('asin', item_id)]:
            if not isinstance(value, str) or value.split() != [value]:
                raise ValueError(
                    f"'{path}' needs to hold an id without spaces in '{key}' (got "
                    f'{value!r} in record {number})'
                )
        rating, timestamp = review.get('overall'), review.get('unixReviewTime')
        rows.append((user_id, item_id, rating, timestamp))
    frame = pd.DataFrame(rows, columns=['user_id', 'item_id', 'rating', 'timestamp'])
    try:
        return frame.astype({'rating': 'float64', 'timestamp': 'int64'})
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"'{path}' needs to hold numbers in 'overall' and 'unixReviewTime' "
            f'({error})'
        ) from error


def read_product_texts(path: str, asins: Collection[str]) -> dict[str, str]:
    r"""Reads the texts of products from a :obj:`meta_*.json.gz` file.

    Products without any text are left out.

    Args:
        path (str): The path of the file.
        asins (Set[str]): The codes of the products to read.

    Raises:
        ValueError: If the file is damaged or malformed, naming the line.
    """
    wanted = {asin.encode() for asin in asins}

    def is_wanted(line: bytes) -> bool:
        # To parse all of the other lines would take most of the time:
        found = ASIN.findall(line)
        return not found or not wanted.isdisjoint(found)

    texts: dict[str, str] = {}
    for product in read_records(path, is_wanted):
        asin = product.get('asin')
        if isinstance(asin, str) and asin in asins and asin not in texts:
            text = product_text(product)
            if text:
                texts[asin] = text
    return texts


def product_text(product: dict[str, Any]) -> str:
    r"""Composes the text of a product from its title, brand, categories and
    description, those of them that it has.

    Args:
        product (Dict[str, Any]): The metadata of the product.
    """
    names = ('title', 'brand', 'categories', 'description')
    words = [word for name in names for word in _words(product.get(name))]
    return SPACE.sub(' ', html.unescape(' '.join(words))).strip()


def _words(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [word for part in value for word in _words(part)]
    return [value] if isinstance(value, str) else []
