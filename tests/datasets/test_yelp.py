import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lgmrec_pyg.datasets import graph_from_yelp
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, modalities, validate_graph

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
    assert get_ids(data, 'user') == ['u1', 'u2']
    assert get_ids(data, 'item') == ['b1', 'b2', 'b3']
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
    assert get_ids(data, 'item') == ['b1', 'b3']
    assert modalities(data) == []
    data = graph_from_yelp(
        reviews, businesses, categories=False, all_items=True, min_rating=4
    )
    validate_graph(data)
    assert get_ids(data, 'item') == ['b1', 'b2', 'b3', 'b9']
    assert modalities(data) == []
    with pytest.raises(ValueError, match="'businesses' needs to be given"):
        graph_from_yelp(reviews, encoder=Recorder())


@pytest.mark.parametrize('date', ['2018-07-07 22:09:11+00:00', '2018-07-07T22:09:11'])
def test_graph_from_yelp_of_other_dates(tmp_path: Path, date: str) -> None:
    rows = [('u', f'b{i}', 5.0, f'2018-07-0{i} 22:09:11') for i in (6, 8)]
    path = write_reviews(tmp_path / 'review.json', [*rows, ('u', 'b7', 5.0, date)])
    data = graph_from_yelp(path, split='leave_one_out')
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [1]]


@pytest.mark.parametrize(
    'change', [{'user_id': None}, {'stars': float('nan')}, {'date': '07/07/2018'}]
)
def test_graph_from_yelp_skips_damaged_lines(tmp_path: Path, change: dict) -> None:
    row = dict(zip(REVIEW_KEYS, REVIEWS[0], strict=True)) | change
    path = write_reviews(tmp_path / 'review.json', [tuple(row.values()), *REVIEWS])
    with pytest.warns(UserWarning, match=r"review\.json' holds .*1 damaged of 7"):
        data = graph_from_yelp(path, val_ratio=0, test_ratio=0)
    assert data[INTERACTS].num_edges == 5

    businesses = Path(write_businesses(tmp_path / 'business.json'))
    good = businesses.read_text()
    for bad in ['{"business_id": "b7"', '{"business_id": "b7", "name": "x"}']:
        businesses.write_text(good + bad)
        with pytest.warns(UserWarning, match=r"business\.json' holds .*line 5"):
            graph_from_yelp(write_reviews(tmp_path / 'a', REVIEWS), businesses)
    with pytest.raises(ValueError, match=r"review\.json' needs to hold undam"):
        graph_from_yelp(path, path)
