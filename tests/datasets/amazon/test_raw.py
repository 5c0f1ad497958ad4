import json
import re
from pathlib import Path
from typing import Any

import pytest
from amazon_files import ASINS, product, products, review, reviews, write_lines

from lgmrec_pyg.datasets.amazon.raw import (
    product_text,
    raw_path,
    raw_url,
    read_product_texts,
    read_reviews,
)


def test_raw_url() -> None:
    base = 'http://snap.stanford.edu/data/amazon/productGraph'
    expected = {
        'reviews': f'{base}/categoryFiles/reviews_Sports_and_Outdoors_5.json.gz',
        'text': f'{base}/categoryFiles/meta_Sports_and_Outdoors.json.gz',
        'image': (
            f'{base}/image_features/categoryFiles/image_features_Sports_and_Outdoors.b'
        ),
    }
    for kind, url in expected.items():
        assert raw_url('sports', kind) == url
        assert raw_url('sports', kind, 'http://a') == url.replace(base, 'http://a')
    path = raw_path('data/clothing', 'clothing', 'text')
    assert path == 'data/clothing/raw/meta_Clothing_Shoes_and_Jewelry.json.gz'


def test_read_reviews(tmp_path: Path) -> None:
    lines = [review('A2USER', 'B000000001', 7), review('A1USER', 'B000000002', 5)]
    frame = read_reviews(str(write_lines(tmp_path / 'a.json.gz', lines)))
    assert frame.to_dict('list') == {
        'user_id': ['A2USER', 'A1USER'],
        'item_id': ['B000000001', 'B000000002'],
        'rating': [5.0, 5.0],
        'timestamp': [7, 5],
    }
    assert len(read_reviews(str(write_lines(tmp_path / 'b.gz', reviews())))) == 101
    assert len(read_reviews(str(write_lines(tmp_path / 'c.gz', [])))) == 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'reviewerID': None}, "an id of valid Unicode in 'reviewerID' (got None"),
        ({'asin': 3}, "'asin' (got 3 in line 2)"),
        ({'asin': 'B 1'}, "an id without spaces in 'asin' (got 'B 1' in line 2)"),
        ({'reviewerID': ''}, "'reviewerID' (got '' in line 2)"),
        ({'asin': 'B\ud800'}, "'asin' (got 'B\\ud800' in line 2)"),
        ({'unixReviewTime': None}, "'unixReviewTime' (got None in line 2)"),
        ({'unixReviewTime': 1.5}, 'a whole number of at most 9,007,199,254,740,992'),
        ({'unixReviewTime': 10**400}, "'unixReviewTime' (got 1"),
        ({'overall': 'five'}, "a finite number in 'overall' (got 'five' in line 2)"),
        ({'overall': True}, "'overall' (got True in line 2)"),
        ({'overall': float('inf')}, "'overall' (got inf in line 2)"),
    ],
)
def test_read_reviews_errors(tmp_path: Path, change: dict, message: str) -> None:
    good = review('A1USER', 'B000000001')
    bad = json.dumps(json.loads(good) | change)
    path = write_lines(tmp_path / 'a.json.gz', [good, bad])
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read_reviews(str(path))
    assert str(info.value).startswith(f"'{path}' needs to hold ")


def test_read_reviews_without_a_key(tmp_path: Path) -> None:
    path = write_lines(tmp_path / 'a.json.gz', ["{'reviewerID': 'A1USER'}"])
    message = "objects with the key 'asin' (got the keys ['reviewerID'] in line 1)"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_reviews(str(path))


def test_product_text() -> None:
    record = product('B1', description='Soft.\n\n  Warm &quot;fleece&quot;. ')
    expected = (
        'Baby\'s B1 & more Coxlures Baby Feeding Baby Nursery Soft. Warm "fleece".'
    )
    assert product_text(record) == expected
    assert (
        product_text({'title': 'A', 'description': ['B', 'C'], 'brand': None})
        == 'A B C'
    )
    assert product_text({'asin': 'B1', 'price': 3.2, 'categories': [[]]}) == ''
    assert product_text({'title': ' &nbsp; ', 'brand': 3}) == ''
    nested: Any = ('C', 'D')
    for _ in range(10**4):
        nested = ['B', nested, 'E']
    words = ['B'] * 10**4 + ['C', 'D'] + ['E'] * 10**4
    assert product_text({'title': 'A', 'brand': nested}) == ' '.join(['A', *words])


def test_read_product_texts(tmp_path: Path) -> None:
    path = str(write_lines(tmp_path / 'meta.json.gz', products()))
    texts = read_product_texts(path, {ASINS[0], ASINS[1], ASINS[2]})
    assert texts == {asin: product_text(product(asin)) for asin in ASINS[:2]}


def test_read_product_texts_parses_what_is_wanted(tmp_path: Path) -> None:
    # Lines without a wanted product are not even parsed, wherever the code is, and
    # whichever codes are mentioned:
    lines = [
        "{'asin': 'B000000005', 'title': broken",
        '{"title": "as JSON", "asin" : "B000000001"}',
        repr({'title': "the 'asin': 'B000000005' of another", 'asin': 'B000000002'}),
        repr(
            {'title': "the 'asin': 'B000000002' of a wanted one", 'asin': 'B000000006'}
        ),
        repr({'title': 'again', 'asin': 'B000000002'}),
        repr({'title': '', 'asin': 'B000000003'}),
        repr({'title': 'code of another type', 'asin': 5}),
    ]
    path = str(write_lines(tmp_path / 'meta.json.gz', lines))
    texts = read_product_texts(path, {f'B00000000{i}' for i in (1, 2, 3)})
    assert texts == {
        'B000000001': 'as JSON',
        'B000000002': "the 'asin': 'B000000005' of another",
    }
    with pytest.raises(ValueError, match=r'dictionary literal either, in line 1'):
        read_product_texts(path, {'B000000005'})
