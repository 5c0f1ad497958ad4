r"""The files of the Amazon product data of 2014, as published by McAuley et al."""

import html
import os.path as osp
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from lgmrec_pyg.datasets.amazon.records import parse_record, to_word
from lgmrec_pyg.datasets.json_lines import read_json_lines
from lgmrec_pyg.datasets.json_values import to_number, to_whole

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
REVIEW_FIELDS = {
    'reviewerID': to_word,
    'asin': to_word,
    'overall': to_number,
    'unixReviewTime': to_whole,
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

    records = read_json_lines(path, REVIEW_FIELDS, parse=parse_record)
    rows = [tuple(record.values()) for record in records]
    frame = pd.DataFrame(rows, columns=['user_id', 'item_id', 'rating', 'timestamp'])
    return frame.astype({'rating': 'float64', 'timestamp': 'int64'})


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
    for product in read_json_lines(path, select=is_wanted, parse=parse_record):
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
    out, rest = [], [value]
    while rest:  # Not by recursion: whoever nests deeply would exhaust the stack.
        value = rest.pop()
        if isinstance(value, str):
            out.append(value)
        elif isinstance(value, (list, tuple)):
            rest.extend(reversed(value))
    return out
