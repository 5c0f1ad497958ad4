import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lgmrec_pyg.datasets import graph_from_yelp
from lgmrec_pyg.graph import INTERACTS, describes, modalities, validate_graph

REVIEW_KEYS = ('user_id', 'business_id', 'stars', 'date')
REVIEWS = [
    ('u2', 'b1', 5.0, '2018-07-07 22:09:11'),
    ('u2', 'b3', 4.0, '2012-01-03 15:28:18'),
    ('u2', 'b2', 4.0, '2014-02-05 20:30:30'),
    ('u1', 'b1', 5.0, '2015-01-04 00:01:03'),
    ('u1', 'b3', 1.0, '2017-01-14 20:54:15'),
    ('u2', 'b1', 3.0, '2011-01-01 00:00:00'),
]
BUSINESSES: list[tuple[str, str, Any, str]] = [
    ('b9', 'Nobody reviewed', 'Pizza', 'Reno'),
    ('b3', 'Café Zoë', None, 'Tampa'),
    ('b1', 'St Honore', 'Bakeries, Food , Coffee & Tea', 'Philadelphia'),
    ('b2', '', ['Food'], ''),
]


def write_reviews(path: Path, rows: list[tuple]) -> str:
    records = [dict(zip(REVIEW_KEYS, row, strict=True)) for row in rows]
    text = ''.join(
        json.dumps({'review_id': str(i), 'text': 'x\n' * 99, **record}) + '\n'
        for i, record in enumerate(records)
    )
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)
    return str(path)


def write_businesses(path: Path) -> str:
    names = ('business_id', 'name', 'categories', 'city')
    records = [dict(zip(names, row, strict=True)) for row in BUSINESSES]
    path.write_text(''.join(json.dumps(record) + '\n' for record in records))
    return str(path)


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[float(len(text))] for text in texts])


@pytest.mark.parametrize('name', ['review.json', 'review.json.gz'])
def test_graph_from_yelp(tmp_path: Path, name: str) -> None:
    reviews = write_reviews(tmp_path / name, REVIEWS)
    businesses = write_businesses(tmp_path / 'business.json')
    encoder = Recorder()
    data = graph_from_yelp(reviews, businesses, encoder, split='leave_one_out')
    validate_graph(data)
    assert data['user'].ids == ['u1', 'u2']
    assert data['item'].ids == ['b1', 'b2', 'b3']
    # User 2 was at b1 first, in 2011, then at b3, then at b2.
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 1], [0, 2, 0]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[1], [2]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[1], [1]]

    assert modalities(data) == ['text', 'category']
    assert encoder.seen == [
        'St Honore. Bakeries, Food, Coffee & Tea. Philadelphia',
        'Food',
        'Café Zoë. Tampa',
    ]
    # Bakeries, Coffee & Tea, Food
    assert data['category'].x.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert data[describes('category')].edge_index.tolist() == [[0, 1], [0, 1]]


def test_graph_from_yelp_options(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / 'review.json', REVIEWS)
    businesses = write_businesses(tmp_path / 'business.json')
    data = graph_from_yelp(reviews, k_core=2, val_ratio=0, test_ratio=0)
    assert data['item'].ids == ['b1', 'b3']
    assert modalities(data) == []
    data = graph_from_yelp(
        reviews, businesses, categories=False, all_items=True, min_rating=4
    )
    validate_graph(data)
    assert data['item'].ids == ['b1', 'b2', 'b3', 'b9']
    assert modalities(data) == []
    with pytest.raises(ValueError, match="'businesses' needs to be the path"):
        graph_from_yelp(reviews, encoder=Recorder())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'user_id': None}, "an id of valid Unicode in 'user_id' (got None"),
        ({'business_id': ''}, "an id of valid Unicode in 'business_id' (got ''"),
        ({'business_id': 'b\ud800'}, "'business_id' (got 'b\\ud800'"),
        ({'stars': 'five'}, "a finite number in 'stars' (got 'five'"),
        ({'stars': True}, "a finite number in 'stars' (got True"),
        ({'stars': float('inf')}, "a finite number in 'stars' (got inf"),
        ({'stars': float('nan')}, "a finite number in 'stars' (got nan"),
        ({'stars': 10**400}, "a finite number in 'stars' (got 1"),
        (
            {'date': '07/07/2018'},
            "a date such as 2018-07-07 22:09:11 in 'date' (got '07",
        ),
        ({'date': None}, "in 'date' (got None"),
    ],
)
@pytest.mark.parametrize('min_rating', [None, 2])
def test_graph_from_yelp_of_malformed_reviews(
    tmp_path: Path, change: dict, message: str, min_rating: int | None
) -> None:
    row = dict(zip(REVIEW_KEYS, REVIEWS[0], strict=True)) | change
    rows = [*REVIEWS[:2], tuple(row.values()), *REVIEWS]
    path = write_reviews(tmp_path / 'review.json', rows)
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        graph_from_yelp(path, min_rating=min_rating)
    assert str(info.value).startswith(f"'{path}' needs to hold ")
    assert str(info.value).endswith(' in line 3)')


def test_graph_from_yelp_of_malformed_businesses(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / 'review.json', REVIEWS)
    path = tmp_path / 'business.json'
    write_businesses(path)
    path.write_text(path.read_text() + '{"business_id": "b7"\n')
    with pytest.raises(ValueError, match=r'a JSON object per line .* in line 5\)'):
        graph_from_yelp(reviews, str(path))
    record = {'business_id': 'b7', 'name': 'x', 'categories': 'z', 'city': 'y'}
    for key, value in [('business_id', 7), ('categories', 3), ('name', ['x'])]:
        path.write_text(json.dumps(record | {key: value}))
        message = rf"business\.json' needs .* in '{key}' \(got .* in line 1\)"
        with pytest.raises(ValueError, match=message):
            graph_from_yelp(reviews, str(path))
    with pytest.raises(ValueError, match=r"with the key 'name' \(got the keys"):
        graph_from_yelp(reviews, reviews)
