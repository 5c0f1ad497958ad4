import re
import warnings
from collections import Counter
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import HeteroData

from lgmrec_pyg.datasets import graph_from_interactions, save_item_features
from lgmrec_pyg.datasets.described import graph_of_described_items
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, modalities, validate_graph

ATTRIBUTES = ('edge_index', 'val_edge_label_index', 'test_edge_label_index')


def pairs_of(data: HeteroData, attribute: str) -> list[tuple[Any, Any]]:
    index: Tensor = data[INTERACTS][attribute]
    users, items = get_ids(data, 'user'), get_ids(data, 'item')
    return [(users[u], items[i]) for u, i in index.t().tolist()]


def make_frame() -> pd.DataFrame:
    rows = [
        ('u1', 'b', 5, 3),
        ('u1', 'a', 4, 1),
        ('u1', 'c', 4, 2),
        ('u1', 'a', 5, 4),
        ('u0', 'a', 5, 5),
        ('u0', 'c', 4, 6),
        ('u0', 'd', 1, 7),
        ('u2', 'd', 5, 8),
        ('u2', 'a', 2, 0),
    ]
    return pd.DataFrame(rows, columns=['user_id', 'item_id', 'stars', 'at'])


def test_graph_from_interactions() -> None:
    data = graph_from_interactions(make_frame(), val_ratio=0, test_ratio=0)
    validate_graph(data)
    assert get_ids(data, 'user') == ['u0', 'u1', 'u2']
    assert get_ids(data, 'item') == ['a', 'b', 'c', 'd']
    assert (data['user'].num_nodes, data['item'].num_nodes) == (3, 4)
    assert data[INTERACTS].edge_index.tolist() == [
        [0, 0, 0, 1, 1, 1, 2, 2],
        [0, 2, 3, 0, 1, 2, 0, 3],
    ]
    assert data[INTERACTS].val_edge_label_index.size() == (2, 0)
    assert data[INTERACTS].test_edge_label_index.size() == (2, 0)
    assert modalities(data) == []


def test_graph_from_interactions_leaves_one_out() -> None:
    # Of repeated pairs the earliest counts, so (u1, a) is not the last one.
    data = graph_from_interactions(make_frame(), timestamp='at', split='leave_one_out')
    assert pairs_of(data, 'edge_index') == [
        ('u0', 'a'),
        ('u1', 'a'),
        ('u2', 'a'),
        ('u2', 'd'),
    ]
    assert pairs_of(data, 'val_edge_label_index') == [('u0', 'c'), ('u1', 'c')]
    assert pairs_of(data, 'test_edge_label_index') == [('u0', 'd'), ('u1', 'b')]


def test_graph_from_interactions_filters() -> None:
    # Without low ratings, (u1, a) is as early as before, and u2 has but one item,
    # which nobody else has. Without u2, b is the only item of one user.
    data = graph_from_interactions(
        make_frame(),
        rating='stars',
        min_rating=4,
        timestamp='at',
        k_core=2,
        val_ratio=0,
        test_ratio=0,
    )
    assert pairs_of(data, 'edge_index') == [
        ('u0', 'a'),
        ('u0', 'c'),
        ('u1', 'a'),
        ('u1', 'c'),
    ]
    # With ratings of at least 5, the later rating of (u1, a) is the one that counts.
    data = graph_from_interactions(
        make_frame(), rating='stars', min_rating=5, timestamp='at', split='time'
    )
    assert pairs_of(data, 'edge_index') == [
        ('u0', 'a'),
        ('u1', 'a'),
        ('u1', 'b'),
        ('u2', 'd'),
    ]


def test_graph_from_interactions_splits_by_time() -> None:
    message = (
        'drops 2 of 3 pairs for validation and test, whose user or item has no training'
    )
    with pytest.warns(UserWarning, match=re.escape(message)):
        data = graph_from_interactions(
            make_frame()[:8],
            timestamp='at',
            split='time',
            val_ratio=0.15,
            test_ratio=0.3,
        )
    # The times in order are 1, 2, 3, 5 | 6 | 7, 8, of which 7 and 8 are of item d.
    validate_graph(data)
    assert get_ids(data, 'user') == ['u0', 'u1']
    assert get_ids(data, 'item') == ['a', 'b', 'c']
    assert pairs_of(data, 'edge_index') == [
        ('u0', 'a'),
        ('u1', 'a'),
        ('u1', 'b'),
        ('u1', 'c'),
    ]
    assert pairs_of(data, 'val_edge_label_index') == [('u0', 'c')]
    assert pairs_of(data, 'test_edge_label_index') == []


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(['random', 'leave_one_out', 'time']),
    st.booleans(),
    st.integers(1, 2),
    st.integers(0, 2),
    st.randoms(),
)
@settings(deadline=None)
def test_graph_from_interactions_properties(
    rows: list[tuple[int, int, int]],
    split: str,
    timed: bool,
    k: int,
    seed: int,
    random: Any,
) -> None:
    def build(rows: list[tuple[int, int, int]]) -> HeteroData | str:
        frame = pd.DataFrame(rows, columns=['user_id', 'item_id', 'at'])
        frame['item_id'] = 'i' + frame['item_id'].astype(str)
        ids = sorted(set(frame['item_id']))
        ids = random.sample(ids, len(ids))
        x = [[float(id_[1:]) + 1] for id_ in ids]
        timestamp = 'at' if timed or split == 'time' else None
        options: dict[str, Any] = {'k_core': k, 'split': split, 'seed': seed}
        options |= {'val_ratio': 0.2, 'test_ratio': 0.2}
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)
            try:
                return graph_from_interactions(
                    frame, {'text': (ids, x)}, timestamp=timestamp, **options
                )
            except ValueError as error:
                return str(error)

    out = build(rows)
    other = build(random.sample(rows, len(rows)))
    if isinstance(out, str):
        assert re.search("'(k_core|split)' needs to leave", out)
        assert out == other
        return
    assert isinstance(other, HeteroData)
    validate_graph(out)
    assert out.to_dict().keys() == other.to_dict().keys()
    for store, other_store in zip(out.stores, other.stores, strict=True):
        for key, value in store.items():
            same = torch.equal if isinstance(value, Tensor) else value.__class__.__eq__
            assert same(value, other_store[key])

    parts = {name: pairs_of(out, name) for name in ATTRIBUTES}
    everything = [pair for part in parts.values() for pair in part]
    assert len(set(everything)) == len(everything)
    assert set(everything) <= {(u, f'i{i}') for u, i, _ in rows}
    assert {u for u, _ in parts['edge_index']} == set(get_ids(out, 'user'))
    assert {i for _, i in everything} == set(get_ids(out, 'item'))
    assert get_ids(out, 'user') == sorted(get_ids(out, 'user'))
    assert get_ids(out, 'item') == sorted(get_ids(out, 'item'))
    expected = [[float(id_[1:]) + 1] for id_ in get_ids(out, 'item')]
    assert out['text'].x.tolist() == expected
    if split != 'time':
        users, items = zip(*everything, strict=True)
        assert min(Counter(users).values()) >= k
        assert min(Counter(items).values()) >= k


def test_graph_from_interactions_depends_on_the_seed() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({'user_id': rng.integers(0, 20, 500)})
    frame['item_id'] = rng.integers(0, 50, 500)
    for split in ['random', 'leave_one_out']:
        graphs = [
            graph_from_interactions(frame, split=split, seed=seed)[INTERACTS].edge_index
            for seed in [0, 0, 1]
        ]
        assert torch.equal(graphs[0], graphs[1])
        assert not torch.equal(graphs[0], graphs[2])


@pytest.mark.parametrize('ending', ['csv', 'csv.gz', 'tsv', 'parquet'])
def test_graph_from_interactions_of_files(tmp_path: Path, ending: str) -> None:
    path, frame = tmp_path / f'clicks.{ending}', make_frame()
    if ending == 'parquet':
        pytest.importorskip('pyarrow')
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep='\t' if ending == 'tsv' else ',', index=False)
    options: dict[str, Any] = {'rating': 'stars', 'timestamp': 'at', 'k_core': 2}
    out = graph_from_interactions(str(path), min_rating=2, **options)
    expected = graph_from_interactions(frame, min_rating=2, **options)
    assert get_ids(out, 'user') == get_ids(expected, 'user')
    for attribute in ATTRIBUTES:
        assert pairs_of(out, attribute) == pairs_of(expected, attribute)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_graph_from_interactions_of_edge_index() -> None:
    edge_index = torch.tensor([[5, 0, 5, 5], [3, 3, 1, 3]])
    x = torch.arange(10.0, 15.0).view(5, 1)
    message = 'describe 2 of 2 items, and 3 unknown ones such as 0, 2, 4'
    with pytest.warns(UserWarning, match=re.escape(message)):
        data = graph_from_interactions(edge_index, {'text': x})
    assert get_ids(data, 'user') == [0, 5]
    assert get_ids(data, 'item') == [1, 3]
    assert pairs_of(data, 'edge_index') == [(0, 3), (5, 1), (5, 3)]
    assert data['text'].x.tolist() == [[11], [13]]
    out = graph_from_interactions(edge_index.numpy())
    assert torch.equal(out[INTERACTS].edge_index, data[INTERACTS].edge_index)
    out = graph_from_interactions(edge_index, {'text': x}, catalog=range(5))
    assert get_ids(out, 'item') == [0, 1, 2, 3, 4]
    assert torch.equal(out['text'].x, x)


def test_graph_from_interactions_with_features(tmp_path: Path) -> None:
    features = {
        'text': (['d', 'c', 'b', 'a'], [[4.0], [3.0], [2.0], [1.0]]),
        'image': {'c': [1, 2], 'a': [3, 4]},
    }
    options: dict[str, Any] = {'rating': 'stars', 'min_rating': 4, 'k_core': 2}
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # Items b and d were known.
        data = graph_from_interactions(make_frame(), features, **options)
    validate_graph(data)
    assert get_ids(data, 'item') == ['a', 'c']
    assert modalities(data) == ['text', 'image']
    assert data['text'].x.tolist() == [[1], [3]]
    assert data['image'].x.tolist() == [[3, 4], [1, 2]]
    assert data[describes('image')].edge_index.tolist() == [[0, 1], [0, 1]]

    save_item_features(tmp_path, features)
    out = graph_from_interactions(make_frame(), str(tmp_path), **options)
    assert modalities(out) == ['image', 'text']
    assert torch.equal(out['text'].x, data['text'].x)


def test_graph_from_interactions_with_catalog() -> None:
    features = {'text': {'a': [1], 'new': [2]}}
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # Items of the catalog are known.
        data = graph_from_interactions(
            make_frame(), features, k_core=2, catalog=['new', 'a', 'b', 'new']
        )
    validate_graph(data)
    assert get_ids(data, 'item') == ['a', 'b', 'c', 'd', 'new']
    assert 'b' not in {item for name in ATTRIBUTES for _, item in pairs_of(data, name)}
    assert data[describes('text')].edge_index.tolist() == [[0, 1], [0, 4]]
    assert '1' in get_ids(graph_from_interactions(make_frame(), catalog=[1]), 'item')
    frame = make_frame().assign(item_id=range(9))
    with pytest.raises(ValueError, match="'catalog' need to have ids of the same type"):
        graph_from_interactions(frame, catalog=['a'])


@pytest.mark.parametrize('ids', [[20, 10], ['20', '10']])
def test_graph_from_interactions_with_ids_of_another_type(
    tmp_path: Path, ids: list
) -> None:
    path = tmp_path / 'clicks.csv'  # Whose ids are text, whatever they look like.
    path.write_text('user_id,item_id\n1,10\n2,20\n')
    data = graph_from_interactions(path, {'text': (ids, [[2], [1]])})
    assert get_ids(data, 'item') == ['10', '20']
    assert data['text'].x.tolist() == [[1], [2]]


def test_graph_from_interactions_warns_of_few_features() -> None:
    frame = pd.DataFrame({'user_id': 1, 'item_id': range(11)})
    with pytest.warns(UserWarning, match="'text' describe 1 of 11 items"):
        graph_from_interactions(frame, {'text': ([5], [[1.0]])})


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'split': 'tmie'}, "'split' needs to be one of ('random', 'leave_one_out'"),
        ({'split': 'time'}, "'time' needs 'timestamp'"),
        ({'rating': 'stars'}, "'rating' and 'min_rating' need to be given together"),
        ({'min_rating': 3}, "'rating' and 'min_rating' need to be given together"),
        ({'val_ratio': 0.6, 'test_ratio': 0.4}, 'of sum < 1'),
        ({'k_core': 0}, "'k' needs to be a positive integer (got 0)"),
        ({'k_core': 2.5}, "'k' needs to be a positive integer (got 2.5)"),
        (
            {'rating': 'stars', 'min_rating': 6},
            "'min_rating' needs to leave interactions (got 6, which leaves none of 3 "
            'users and 4 items)',
        ),
        ({'k_core': 4}, "'k_core' needs to leave interactions (got 4, which leaves"),
        ({'user': None}, "one column 'None', or another one that the argument 'user'"),
        (
            {'timestamp': 'time'},
            "(got the columns ['user_id', 'item_id', 'stars', 'at'])",
        ),
        ({'features': {'item': {'a': [1]}}}, "other than 'user' and 'item'"),
        ({'features': {'text': {'x': [1]}}}, '1 unknown ones'),
        (
            {'features': {'text': {'b': [1]}}, 'k_core': 2},
            "'text' describe only dropped items",
        ),
    ],
)
def test_graph_from_interactions_errors(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        graph_from_interactions(make_frame(), **options)


def test_graph_from_interactions_at_one_time() -> None:
    frame = make_frame().assign(at=0)
    with (
        pytest.warns(UserWarning, match='drops 8 of 8 pairs'),
        pytest.raises(ValueError, match="'split' needs to leave interactions"),
    ):
        graph_from_interactions(frame, timestamp='at', split='time')


class Lengths:
    name = 'lengths'

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[float(len(text))] for text in texts])


def test_graph_of_described_items(tmp_path: Path) -> None:
    texts = {'x': 'never encoded', 'c': 'four', 'b': '', 'a': 'one'}
    labels = {'x': ['other'], 'c': ['new', 'old'], 'b': [], 'a': ['old']}
    for seen in [['one', 'four'], []]:
        encoder = Lengths()
        cache = str(tmp_path / 'texts.sqlite')
        args = (make_frame(), texts, {'age': labels}, encoder, False, cache)
        data = graph_of_described_items(*args)
        validate_graph(data)
        assert modalities(data) == ['text', 'age']
        assert data['text'].x.tolist() == [[3], [4]]
        assert data[describes('text')].edge_index.tolist() == [[0, 1], [0, 2]]
        assert data['age'].x.tolist() == [[0, 1], [1, 1]]
        assert encoder.seen == seen
    args = (make_frame(), {'x': 'y'}, {'age': {'x': ['y']}}, encoder, False, None)
    with pytest.raises(ValueError, match=r"describe items such as \['a', 'b', 'c'\]"):
        graph_of_described_items(*args)
    args = (make_frame(), {'x': 'y'}, {'age': {'x': ['y']}}, encoder, True, None)
    data = graph_of_described_items(*args)
    assert get_ids(data, 'item') == ['a', 'b', 'c', 'd', 'x']
    assert modalities(data) == ['text', 'age']


def test_a_file_with_an_id_that_ends_in_a_null_character_is_named(tmp_path):
    path = tmp_path / 'clicks.csv'
    path.write_text('user_id,item_id\nu1,i1\nu2\0,i2\n')
    with pytest.raises(ValueError, match=r'clicks\.csv.*null character'):
        graph_from_interactions(str(path), val_ratio=0, test_ratio=0)


@pytest.mark.parametrize('timestamp', ['at', None])
def test_graph_from_interactions_withholds_nothing(timestamp: str | None) -> None:
    for ratios in (
        {'val_ratio': 0},
        {'test_ratio': 0},
        {'val_ratio': 0, 'test_ratio': 0},
    ):
        data = graph_from_interactions(
            make_frame(), timestamp=timestamp, split='leave_one_out', **ratios
        )
        nums = [data[INTERACTS][name].size(1) for name in ATTRIBUTES]
        # Two users have three items, and the third one, who has two, can miss one.
        if len(ratios) == 2:
            assert nums == [8, 0, 0]
        else:
            assert nums == ([5, 3, 0] if 'test_ratio' in ratios else [5, 0, 3])
    assert {pair[0] for pair in pairs_of(data, 'edge_index')} == {'u0', 'u1', 'u2'}
    data = graph_from_interactions(
        make_frame(), timestamp='at', split='leave_one_out', val_ratio=0
    )
    held = [('u0', 'd'), ('u1', 'b'), ('u2', 'd')]
    assert pairs_of(data, 'test_edge_label_index') == held


def test_graph_from_interactions_of_your_own_splits(tmp_path: Path) -> None:
    train = [('u1', 'a'), ('u1', 'b'), ('u2', 'a'), ('u2', 'a')]
    val = [('u1', 'c'), ('u2', 'a'), ('u3', 'b')]
    test = [('u2', 'b'), ('u1', 'c'), ('u2', 'd'), ('u2', 'd')]
    features = {'text': (['a', 'd'], [[1.0], [4.0]])}

    def check(train: Any, val: Any, test: Any) -> None:
        with (
            pytest.warns(UserWarning, match='hold 2 pairs of an earlier split'),
            pytest.warns(
                UserWarning, match='has 1 users and 2 items without a training'
            ),
        ):
            data = graph_from_interactions(train, features, val=val, test=test)
        validate_graph(data)
        assert get_ids(data, 'user') == ['u1', 'u2', 'u3']
        assert pairs_of(data, 'edge_index') == [('u1', 'a'), ('u1', 'b'), ('u2', 'a')]
        assert pairs_of(data, 'val_edge_label_index') == [('u1', 'c'), ('u3', 'b')]
        assert pairs_of(data, 'test_edge_label_index') == [('u2', 'b'), ('u2', 'd')]
        assert data['text'].x.tolist() == [[1], [4]]

    check(train, val, test)
    paths = [tmp_path / f'ml.{name}.inter' for name in ('train', 'valid', 'test')]
    for path, rows in zip(paths, (train, val, test), strict=True):
        lines = ['user_id:token\titem_id:token', *map('\t'.join, rows)]
        path.write_text('\n'.join(lines))
    check(*paths)
    check(paths[0], pd.DataFrame(val, columns=['user_id', 'item_id']), test)


def test_graph_from_interactions_of_one_own_split() -> None:
    train = pd.DataFrame(
        {'user_id': [1, 1, 2], 'item_id': [7, 8, 7], 'stars': [5, 2, 4]}
    )
    test = pd.DataFrame({'user_id': ['2', '1'], 'item_id': ['8', '7'], 'stars': [4, 1]})
    options: dict[str, Any] = {'rating': 'stars', 'min_rating': 3}
    with pytest.warns(UserWarning, match='0 users and 1 items'):
        data = graph_from_interactions(train, test=test, weight='stars', **options)
    # Beside those of texts, ids are strings.
    assert pairs_of(data, 'edge_index') == [('1', '7'), ('2', '7')]
    assert data[INTERACTS].confidence.tolist() == [5, 4]
    assert pairs_of(data, 'test_edge_label_index') == [('2', '8')]
    assert pairs_of(data, 'val_edge_label_index') == []
    with pytest.raises(
        ValueError, match=r"'val' and 'test' need no other 'split' \(got"
    ):
        graph_from_interactions(train, test=test, split='leave_one_out')
    with pytest.raises(ValueError, match=r"'test' needs to have one column 'stars'"):
        graph_from_interactions(train, test=test[['user_id', 'item_id']], **options)
    with pytest.raises(ValueError, match="'test' needs to hold interactions"):
        graph_from_interactions(train, test=test[:0])


DAYS = ['2014-07-01', '2014-07-02', '2014-07-03', '2014-07-04']
SECONDS = [1404172800 + 86400 * i for i in range(4)]


@pytest.mark.parametrize(
    'times',
    [
        DAYS,
        [f'{day} 00:00:00 UTC' for day in DAYS],
        pd.to_datetime(DAYS),
        pd.to_datetime(DAYS).as_unit('s'),
        SECONDS,
        [1000 * x for x in SECONDS],
        [10**6 * x for x in SECONDS],
        [10**9 * x for x in SECONDS],
        [x + 0.5 for x in SECONDS],
        list(map(str, SECONDS)),
    ],
)
@pytest.mark.parametrize(
    'split_at',
    [
        ('2014-07-03', '2014-07-04'),
        (pd.Timestamp('2014-07-02 12:00'), np.datetime64('2014-07-03T12')),
        (date(2014, 7, 3), datetime(2014, 7, 4, tzinfo=timezone.utc)),
    ],
)
def test_graph_from_interactions_splits_at_dates(times: Any, split_at: Any) -> None:
    rows = {'user_id': [1, 1, 1, 1], 'item_id': [4, 5, 6, 7], 'at': times}
    rows = {key: [*value, value[0], value[0]] for key, value in rows.items()}
    frame = pd.DataFrame(rows).assign(user_id=[1, 1, 1, 1, 2, 2])
    frame['item_id'] = [4, 5, 6, 7, 6, 7]
    data = graph_from_interactions(
        frame, timestamp='at', split='time', split_at=split_at
    )
    assert pairs_of(data, 'edge_index') == [(1, 4), (1, 5), (2, 6), (2, 7)]
    assert pairs_of(data, 'val_edge_label_index') == [(1, 6)]
    assert pairs_of(data, 'test_edge_label_index') == [(1, 7)]


def test_graph_from_interactions_splits_at_numbers() -> None:
    frame = pd.DataFrame({'user_id': 1, 'item_id': [4, 5, 6, 7], 'at': [1, 2, 3, 4]})
    options: dict[str, Any] = {'timestamp': 'at', 'split': 'time'}
    with pytest.warns(UserWarning, match='drops 2 of 2 pairs'):
        data = graph_from_interactions(frame, split_at=(2.5, 4), **options)
    assert pairs_of(data, 'edge_index') == [(1, 4), (1, 5)]
    for split_at, message in [
        (('2014-01-01', '2014-02-01'), "'split_at' needs to hold numbers like"),
        ((4, 2), r"'split_at' needs to hold ascending times \(got \(4, 2\)\)"),
        (('31.12.2014', '2015'), 'ISO8601'),
    ]:
        with pytest.raises(ValueError, match=message):
            graph_from_interactions(frame, split_at=split_at, **options)
    for wrong in ({'split_at': (2, 3)}, {'split_at': 2, **options}):
        with pytest.raises(ValueError, match="'split_at' needs to hold two times, for"):
            graph_from_interactions(frame, **wrong)
    data = graph_from_interactions(frame, split_at=(5, 6), **options)
    assert data[INTERACTS].num_edges == 4


def test_graph_from_interactions_beside_a_matrix() -> None:
    sp = pytest.importorskip('scipy.sparse')
    matrix = sp.csr_array([[0, 1.0, 2.0], [0, 3.0, 0]])
    x = torch.arange(3.0).view(3, 1)
    options: dict[str, Any] = {'val_ratio': 0, 'test_ratio': 0}
    with pytest.warns(UserWarning, match='1 unknown ones'):
        data = graph_from_interactions(matrix, {'text': x}, **options)
    assert pairs_of(data, 'edge_index') == [(0, 1), (0, 2), (1, 1)]
    assert data['text'].x.tolist() == [[1], [2]]
    data = graph_from_interactions(
        matrix, rating='r', min_rating=2, weight='r', **options
    )
    assert pairs_of(data, 'edge_index') == [(0, 2), (1, 1)]
    assert data[INTERACTS].confidence.tolist() == [2, 3]
