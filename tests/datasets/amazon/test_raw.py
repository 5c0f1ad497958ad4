import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from amazon_files import (
    ASINS,
    NUM_FEATURES,
    product,
    products,
    review,
    reviews,
    write_images,
    write_lines,
)

from lgmrec_pyg.datasets.amazon.conversion import (
    BLOCK_SIZE,
    convert_image_features,
    raw_path,
    raw_url,
)
from lgmrec_pyg.datasets.amazon.products import (
    REVIEW_KEYS,
    product_text,
    read_product_texts,
)
from lgmrec_pyg.datasets.json_lines import read_reviews


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


def test_reviews(tmp_path: Path) -> None:
    lines = [review('A2USER', 'B000000001', 7), review('A1USER', 'B000000002', 5)]
    frame = read_reviews(write_lines(tmp_path / 'a.json.gz', lines), REVIEW_KEYS)
    assert frame.to_dict('list') == {
        'user_id': ['A2USER', 'A1USER'],
        'item_id': ['B000000001', 'B000000002'],
        'rating': [5.0, 5.0],
        'timestamp': [7, 5],
    }
    path = write_lines(tmp_path / 'b.json.gz', reviews())
    assert len(read_reviews(path, REVIEW_KEYS)) == 101
    lines.append(review('A1USER', 'B000000002')[:-9])  # Cut short.
    with pytest.warns(UserWarning, match=r'1 damaged of 3, the first one: line 3, '):
        read_reviews(write_lines(tmp_path / 'a.json.gz', lines), REVIEW_KEYS)


def test_product_text() -> None:
    record = product('B1', description='Soft.\n\n  Warm &quot;fleece&quot;. ')
    expected = (
        'Baby\'s B1 & more Coxlures Baby Feeding Baby Nursery Soft. Warm "fleece".'
    )
    assert product_text(record) == expected
    record = {'title': 'A', 'description': ['B', ('C', ['D'])], 'brand': None}
    assert product_text(record) == 'A B C D'
    assert product_text({'asin': 'B1', 'price': 3.2, 'categories': [[]]}) == ''
    assert product_text({'title': ' &nbsp; ', 'brand': 3}) == ''


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
        repr({'title': "the 'asin': 'B000000002' of one", 'asin': 'B000000006'}),
        repr({'title': 'again', 'asin': 'B000000002'}),
        repr({'title': '', 'asin': 'B000000003'}),
        r"{'title': 'Python\d u\xe9', 'asin': u'B000000004'}",
    ]
    path = str(write_lines(tmp_path / 'meta.json.gz', lines))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        texts = read_product_texts(path, {f'B00000000{i}' for i in (1, 2, 3, 4)})
    assert texts == {
        'B000000001': 'as JSON',
        'B000000002': "the 'asin': 'B000000005' of another",
        'B000000004': 'Python\\d ué',
    }


@pytest.mark.parametrize(
    'line',
    [
        "{'asin': __import__('os').mkdir('MARK')}",
        "{'asin': open('MARK', 'w')}",
        "{'asin': 'B000000001', 'price': nan}",
        "{'asin': 'B000000001', 'title'",
        '[' * 100_000,
        '-' * 100_000 + '1',
        "{'a': " * 150 + '1',
        "{'a': " + '1+' * 100_000 + '1j}',
        '{[]: 1}',
        "{'title': 3}",
    ],
)
def test_read_product_texts_skips_and_executes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_lines(tmp_path / 'meta.json.gz', [*products(), line])
    with pytest.warns(UserWarning, match='1 damaged of 9, the first one: line 19, '):
        assert len(read_product_texts(str(path), ASINS)) == 8
    assert os.listdir(tmp_path) == ['meta.json.gz']


def convert(path: Path, asins: list[str]) -> np.ndarray:
    target = path.parent / 'image_feat.npy'
    convert_image_features(str(path), str(target), asins, progress=False)
    return np.load(target, allow_pickle=False)


def test_convert_image_features(tmp_path: Path) -> None:
    # More than one block, in another order than the items:
    asins = [f'B{i:09d}' for i in range(2 * BLOCK_SIZE + 3)]
    images = write_images(tmp_path / 'a.b', asins[::-1])
    items = [*asins[::7], 'B999999999', asins[1]]
    x = convert(tmp_path / 'a.b', items)
    assert x.dtype == np.float32
    assert x.shape == (len(items), NUM_FEATURES)
    for row, asin in zip(x, items, strict=True):
        expected = images.get(asin, np.full(NUM_FEATURES, np.nan))
        np.testing.assert_array_equal(row, expected)
    with pytest.raises(ValueError, match=r"a\.b' needs to hold images of the items"):
        convert(tmp_path / 'a.b', ['B999999999'])


def test_convert_image_features_keeps_the_first_of_repeated_records(
    tmp_path: Path,
) -> None:
    write_images(tmp_path / 'a.b', ['B000000001'])
    first = (tmp_path / 'a.b').read_bytes()
    write_images(tmp_path / 'a.b', ['B000000001'], seed=1)
    (tmp_path / 'a.b').write_bytes(first + (tmp_path / 'a.b').read_bytes())
    assert convert(tmp_path / 'a.b', ['B000000001']).tobytes() == first[10:]


def test_convert_image_features_of_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / 'a.b'
    asins = [f'B{i:09d}' for i in range(70)]
    images = write_images(path, asins)
    content, size = path.read_bytes(), 10 + 4 * NUM_FEATURES
    for damaged in [content[:-1], b'<html>' + content, b'']:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.b' needs to be undamaged: delete it"):
            convert(path, asins)
    nan = np.array(np.nan, dtype='<f4').tobytes()
    path.write_bytes(content[: size + 10] + nan + content[size + 14 :])
    message = re.escape('1 damaged of 70, the first one: B000000001 is not finite')
    with pytest.warns(UserWarning, match=message):
        x = convert(path, asins)
    assert np.isnan(x).all(axis=1).nonzero()[0].tolist() == [1]
    assert np.array_equal(x[2], images[asins[2]])
