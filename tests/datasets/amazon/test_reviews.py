r"""Graphs of Amazon's reviews of 2014, 2018 and 2023, in all of their formats."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from lgmrec_pyg.datasets import graph_from_amazon
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, modalities, validate_graph

# Of two users, the first one bought a, then c, then b; the time is in days.
ROWS = [
    ('U1', 'a', 5.0, 1),
    ('U1', 'b', 4.0, 3),
    ('U1', 'c', 2.0, 2),
    ('U2', 'c', 5.0, 1),
]
DAY = 86_400
PRODUCTS_2023: list[dict[str, Any]] = [
    {
        'main_category': 'All Beauty',
        'title': 'Howard &amp; Co',
        'average_rating': 4.8,
        'rating_number': 10,
        'features': ['Soft', 'Light'],
        'description': ['Long words.'],
        'price': None,
        'images': [{'thumb': 'https://x', 'large': 'https://y'}],
        'videos': [],
        'store': 'Howard',
        'categories': ['Beauty', 'Soap'],
        'details': {'Package Dimensions': '7.1 x 5.5', 'UPC': '617390882781'},
        'parent_asin': 'a',
        'bought_together': None,
    },
]
EMPTY: dict[str, Any] = {
    'title': '',
    'features': [],
    'description': [],
    'store': None,
    'categories': [],
    'details': {},
}
PRODUCTS_2023 += [
    {**PRODUCTS_2023[0], **EMPTY, 'parent_asin': 'b'},
    {**PRODUCTS_2023[0], **EMPTY, 'parent_asin': 'c', 'categories': ['Soap']},
    {**PRODUCTS_2023[0], 'parent_asin': 'z'},
]
TEXT_2023 = (
    'Howard & Co Howard Beauty Soap Soft Light Long words. '
    'Package Dimensions: 7.1 x 5.5 UPC: 617390882781'
)


def reviews_2023() -> list[dict[str, Any]]:
    return [
        {
            'rating': rating,
            'title': 'Nice',
            'text': 'Good\n' * 9,
            'images': [],
            'asin': f'{item}-variant',
            'parent_asin': item,
            'user_id': user,
            'timestamp': 1_588_687_728_923 + 1000 * DAY * day,
            'helpful_vote': 0,
            'verified_purchase': True,
        }
        for user, item, rating, day in ROWS
    ]


def reviews_of_old(rating_type: Callable) -> list[dict[str, Any]]:
    return [
        {
            'overall': rating_type(rating),
            'verified': True,
            'reviewTime': '09 1, 2016',
            'reviewerID': user,
            'asin': item,
            'style': {'Format:': ' Kindle Edition'},
            'reviewText': 'x',
            'unixReviewTime': 1_472_688_000 + DAY * day,
        }
        for user, item, rating, day in ROWS
    ]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    text = ''.join(json.dumps(record) + '\n' for record in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == '.gz' else text)
    return path


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[float(len(text))] for text in texts])


def check(reviews: Any, products: Any, texts: list[str]) -> None:
    encoder = Recorder()
    data = graph_from_amazon(reviews, products, encoder, split='leave_one_out')
    validate_graph(data)
    assert get_ids(data, 'user') == ['U1', 'U2']
    assert get_ids(data, 'item') == ['a', 'b', 'c']
    assert data[INTERACTS].edge_index.tolist() == [[0, 1], [0, 2]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [2]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[0], [1]]
    assert modalities(data) == ['text', 'category']
    assert encoder.seen == texts
    assert data['category'].x.tolist() == [[1, 1], [0, 1]]  # Beauty, Soap
    assert data[describes('category')].edge_index.tolist() == [[0, 1], [0, 2]]
    data = graph_from_amazon(reviews, min_rating=4, val_ratio=0, test_ratio=0)
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 1], [0, 1, 2]]
    assert modalities(data) == []


@pytest.mark.parametrize('ending', ['jsonl', 'jsonl.gz'])
def test_graph_from_amazon_of_2023(tmp_path: Path, ending: str) -> None:
    reviews = write(tmp_path / f'All_Beauty.{ending}', reviews_2023())
    products = write(tmp_path / f'meta_All_Beauty.{ending}', PRODUCTS_2023)
    check(reviews, products, [TEXT_2023, 'Soap'])


def test_graph_from_amazon_of_2023_in_parquet(tmp_path: Path) -> None:
    pytest.importorskip('pyarrow')
    reviews, products = tmp_path / 'full-0.parquet', tmp_path / 'meta-0.parquet'
    pd.DataFrame(reviews_2023()).to_parquet(reviews)
    frame = pd.DataFrame(PRODUCTS_2023)
    frame['details'] = frame['details'].map(json.dumps)
    frame.to_parquet(products)
    check(reviews, products, [TEXT_2023, 'Soap'])
    (tmp_path / 'parts').mkdir()
    frame[:1].to_parquet(tmp_path / 'parts/0.parquet')
    frame[1:].to_parquet(tmp_path / 'parts/1.parquet')
    csv = tmp_path / 'All_Beauty.csv.gz'
    columns = ['user_id', 'parent_asin', 'rating', 'timestamp']
    pd.DataFrame(reviews_2023())[columns].to_csv(csv, index=False)
    check(csv, tmp_path / 'parts', [TEXT_2023, 'Soap'])


def test_graph_from_amazon_of_2018(tmp_path: Path) -> None:
    reviews = write(tmp_path / 'AMAZON_FASHION.json.gz', reviews_of_old(float))
    products = write(
        tmp_path / 'meta_AMAZON_FASHION.json.gz',
        [
            {
                'title': 'Soft &amp; light',
                'brand': 'Coxlures',
                'feature': ['Package: 1'],
                'category': ['Beauty', 'Soap'],
                'description': ['Words.', 'More.'],
                'details': {'<b>Weight:</b>': '1 ounce'},
                'asin': 'a',
            },
            {'title': '<script>var aPageStart = new Date().getTime();', 'asin': 'b'},
            {'asin': 'c', 'category': ['Soap'], 'title': ''},
        ],
    )
    text = 'Soft & light Coxlures Beauty Soap Package: 1 Words. More.'
    check(reviews, products, [text, 'Soap'])


def test_graph_from_amazon_of_2014(tmp_path: Path) -> None:
    reviews = write(tmp_path / 'reviews_Beauty_5.json.gz', reviews_of_old(int))
    products = tmp_path / 'meta_Beauty.json'
    products.write_text(
        "{'asin': 'a', 'title': 'Baby\\'s', 'categories': [['Beauty', 'Soap']]}\n"
        "{'asin': 'c', 'categories': [['Soap'], ['Soap']], 'description': 'x'}\n"
    )
    check(reviews, products, ["Baby's Beauty Soap", 'Soap Soap x'])


def test_graph_from_amazon_of_all_items(tmp_path: Path) -> None:
    reviews = write(tmp_path / 'a.jsonl', reviews_2023())
    products = write(tmp_path / 'm.jsonl', PRODUCTS_2023)
    data = graph_from_amazon(reviews, products, all_items=True, categories=False)
    assert get_ids(data, 'item') == ['a', 'b', 'c', 'z']
    assert modalities(data) == []


def test_graph_from_amazon_errors(tmp_path: Path) -> None:
    reviews = write(tmp_path / 'a.jsonl', reviews_2023())
    other = write(tmp_path / 'm.jsonl', PRODUCTS_2023[3:])
    with pytest.raises(
        ValueError, match=r"m\.jsonl' needs to describe products such as"
    ):
        graph_from_amazon(reviews, other)
    with pytest.raises(ValueError, match="'products' needs to be given"):
        graph_from_amazon(reviews, encoder=Recorder())
    swapped = write(tmp_path / 'm.jsonl', PRODUCTS_2023)
    with pytest.raises(ValueError, match=r"m\.jsonl' needs to hold undamaged lines"):
        graph_from_amazon(swapped)
    bare = [{**x, 'title': '', 'categories': []} for x in PRODUCTS_2023[1:2]]
    products = write(tmp_path / 'n.jsonl', bare)
    with pytest.raises(ValueError, match=r"'encoder' needs texts \(got none of any"):
        graph_from_amazon(reviews, products, Recorder())
    with pytest.warns(UserWarning, match="'category' is left out: no item has any"):
        graph_from_amazon(reviews, products)


@pytest.mark.parametrize(
    'bad',
    [
        '{"user_id": "U1", "parent_asin": "a", "rating": NaN, "timestamp": 1}',
        '{"user_id": "U1", "parent_asin": null, "rating": 1, "timestamp": 1}',
        '{"user_id": "U1", "parent_',
        'nan',
    ],
)
def test_graph_from_amazon_skips_a_damaged_line(tmp_path: Path, bad: str) -> None:
    path = write(tmp_path / 'a.jsonl', reviews_2023())
    path.write_text(path.read_text() + bad)
    with pytest.warns(UserWarning, match=r"a\.jsonl' holds .*1 damaged of 5.*line 5"):
        data = graph_from_amazon(path, val_ratio=0, test_ratio=0)
    assert data[INTERACTS].num_edges == 4


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        (dict.fromkeys(EMPTY), None),
        ({**EMPTY, 'description': 'words'}, 'words'),
        ({**EMPTY, 'details': {'a': {'b': 'c'}, 'd': ['e', 'f'], 'n': 3}}, 'd: e d: f'),
        ({**EMPTY, 'title': ' &nbsp; '}, None),
        ({**EMPTY, 'title': 'x', 'price': '$5 - $6'}, 'x'),
    ],
)
def test_graph_from_amazon_of_products_that_lack_much(
    tmp_path: Path, changes: dict[str, Any], text: str | None
) -> None:
    reviews = write(tmp_path / 'a.jsonl', reviews_2023())
    products = [{**PRODUCTS_2023[0], **changes}, {**PRODUCTS_2023[2], 'title': 'last'}]
    encoder = Recorder()
    graph_from_amazon(reviews, write(tmp_path / 'm.jsonl', products), encoder)
    assert encoder.seen == [*([text] if text else []), 'last Soap']


def test_graph_from_amazon_of_two_editions(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.jsonl', [*reviews_2023(), *reviews_of_old(float)])
    data = graph_from_amazon(path, val_ratio=0, test_ratio=0)
    assert data[INTERACTS].num_edges == 4
    with pytest.raises(ValueError, match=r'needs to hold undamaged lines \(got none\)'):
        graph_from_amazon(write(tmp_path / 'b.jsonl', []))
