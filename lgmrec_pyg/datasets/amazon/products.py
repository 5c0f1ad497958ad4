r"""Reviews and products of Amazon as published in 2014, 2018 and 2023."""

import html
import json
import os
import re
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pandas as pd

from lgmrec_pyg.datasets.files import PARQUET, opened, starts_with
from lgmrec_pyg.datasets.frames import is_path, read_frame, read_parts
from lgmrec_pyg.datasets.json_lines import (
    COLUMNS,
    read_json_lines,
    read_reviews,
    to_id,
)
from lgmrec_pyg.datasets.tables import columns_of

REVIEW_KEYS = ('reviewerID', 'asin', 'overall', 'unixReviewTime')  # 2014 and 2018.
REVIEW_KEYS_2023 = ('user_id', 'parent_asin', 'rating', 'timestamp')
PRODUCT_KEYS_2023 = ('title', 'store', 'categories', 'features', 'description')
LABEL_KEYS = ('categories', 'category')
TEXT_KEYS = ('title', 'brand', 'store', *LABEL_KEYS, 'feature', 'features')
ASIN = re.compile(rb"""['"](?:parent_)?asin['"]\s*:\s*u?['"]([^'"]*)['"]""")
SCRIPT = 'getTime('  # In titles that are none, of 2018.


def read_amazon_reviews(source: Any) -> pd.DataFrame:
    r"""Reads who rated what and when: from JSON lines of any year, or from Parquet
    or CSV of 2023.
    """
    if is_path(source) and _is_json(source):
        return read_reviews(source, REVIEW_KEYS, REVIEW_KEYS_2023)
    columns = columns_of(*REVIEW_KEYS_2023)
    return read_frame(source, columns)[1].set_axis(list(COLUMNS), axis=1)


def read_products(
    source: Any, asins: Collection[str] | None = None
) -> Iterator[tuple[str, str, list[str]]]:
    r"""Reads the products of some codes, or all of them, from JSON lines of any year
    or Parquet of 2023: the code, the text, and the categories of each.
    """
    wanted = None if asins is None else {asin.encode() for asin in asins}

    def select(line: bytes) -> bool:
        # To parse all of the other lines would take most of the time:
        found = ASIN.findall(line)
        return wanted is None or not found or not wanted.isdisjoint(found)

    def convert(product: dict[str, Any]) -> tuple[str, str, list[str]]:
        asin = to_id(product.get('parent_asin') or product['asin'])
        words = [word for key in LABEL_KEYS for word in _words(product.get(key))]
        labels = [html.unescape(word).strip() for word in words]
        return asin, product_text(product), [label for label in labels if label]

    is_json = is_path(source) and _is_json(source)
    products = (
        read_json_lines(source, convert, select)
        if is_json
        else (convert(product) for product in _read_rows(source))
    )
    for asin, text, labels in products:
        if asins is None or asin in asins:
            yield asin, text, labels


def read_product_texts(path: str, asins: Collection[str]) -> dict[str, str]:
    r"""Reads the texts of products from a :obj:`meta_*.json.gz` file."""
    texts: dict[str, str] = {}
    for asin, text, _ in read_products(path, asins):
        if text:
            texts.setdefault(asin, text)
    return texts


def product_text(product: dict[str, Any]) -> str:
    r"""Composes the text of a product from what it has."""
    words = [word for key in TEXT_KEYS for word in _words(product.get(key))]
    words += _words(product.get('description'))
    if 'parent_asin' in product:
        words += _words(_details(product.get('details')))
    words = [word for word in words if SCRIPT not in word]
    return ' '.join(html.unescape(' '.join(words)).split())


def _details(value: Any) -> list[str]:
    if isinstance(value, str) and value.strip():  # In Parquet, they are encoded.
        value = json.loads(value)
    items = value.items() if isinstance(value, dict) else ()
    return [f'{key}: {word}' for key, value in items for word in _words(value)]


def _words(value: Any) -> list[str]:
    if isinstance(value, (list, tuple, np.ndarray)):
        return [word for part in value for word in _words(part)]
    return [value] if isinstance(value, str) else []


def _read_rows(source: Any) -> Iterator[dict[str, Any]]:
    keys = ('parent_asin', *PRODUCT_KEYS_2023, 'details')
    for _, frame in read_parts(source, {key: key for key in keys}, part_rows=2**16):
        yield from frame.to_dict('records')


def _is_json(path: str | os.PathLike[str]) -> bool:
    path = os.path.expanduser(os.fspath(path))
    if os.path.isdir(path) or '.csv' in os.path.basename(path):
        return False
    with opened(path) as file:
        return not starts_with(file, PARQUET)
