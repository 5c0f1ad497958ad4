r"""Small files in the formats of the Amazon product data of 2014."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

USERS = [f'A{i}USER' for i in range(12)]
ASINS = [f'B{i:09d}' for i in range(9)]
NUM_FEATURES = 4_096


def write_lines(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, 'wt', encoding='utf-8', newline='\n') as file:
        file.writelines(f'{line}\n' for line in lines)
    return path


def review(user: str, asin: str, time: int = 1_300_000_000) -> str:
    return json.dumps(
        {
            'reviewerID': user,
            'asin': asin,
            'reviewerName': 'J. McDonald "jmd"',
            'helpful': [2, 3],
            'reviewText': "It's great\u2014really.",
            'overall': 5.0,
            'summary': 'Great',
            'unixReviewTime': time,
            'reviewTime': '03 13, 2011',
        }
    )


def reviews() -> list[str]:
    r"""Users times items, which all are in the 5-core but for the last user and
    the last item, and some reviews twice.
    """
    lines = [
        review(user, asin, 1_300_000_000 + 100 * i - j)
        for i, user in enumerate(USERS[:-1])
        for j, asin in enumerate(ASINS[:-1])
    ]
    lines += [review(USERS[-1], asin) for asin in ASINS[:4]]
    lines += [review(user, ASINS[-1]) for user in USERS[:4]]
    return [*lines, *lines[:5]]


def product(asin: str, **values: Any) -> dict[str, Any]:
    return {
        'asin': asin,
        'related': {'also_bought': ['B000000777', ASINS[0]]},
        'title': f"Baby's {asin} &amp; more",
        'price': 3.17,
        'salesRank': {'Baby': 211836},
        'imUrl': 'http://ecx.images-amazon.com/images/I/51fAmVkTbyL._SY300_.jpg',
        'brand': 'Coxlures',
        'categories': [['Baby', 'Feeding'], ['Baby', 'Nursery']],
        **values,
    }


def products(without: str = ASINS[2]) -> list[str]:
    r"""Literals of Python, among them products that nobody reviewed, but not one
    of an item.
    """
    asins = [*(f'B{i:09d}' for i in range(100, 110)), *ASINS]
    return [repr(product(asin)) for asin in asins if asin != without]


def write_images(path: Path, asins: list[str], seed: int = 0) -> dict[str, np.ndarray]:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    out = {}
    with path.open('wb') as file:
        for asin in asins:
            out[asin] = rng.standard_normal(NUM_FEATURES, dtype=np.float32)
            file.write(asin.encode() + out[asin].astype('<f4').tobytes())
    return out


def write_baby(folder: Path) -> dict[str, np.ndarray]:
    r"""Writes all files of Baby, and returns the images, of which an item has none."""
    write_lines(folder / 'reviews_Baby_5.json.gz', reviews())
    write_lines(folder / 'meta_Baby.json.gz', products())
    asins = [asin for asin in reversed(ASINS) if asin != ASINS[4]]
    return write_images(folder / 'image_features_Baby.b', ['B000000123', *asins])
