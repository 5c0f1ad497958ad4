import re
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from lgmrec_pyg.datasets.interactions.table import read_interaction_table


def make_frame(**columns: Any) -> pd.DataFrame:
    pairs = {'user_id': ['v', 'u', 'v'], 'item_id': [30, 20, 10]}
    return pd.DataFrame({**pairs, **columns})


def times_of(times: Any) -> list[float]:
    table = read_interaction_table(make_frame(at=times), timestamp='at')
    assert table.time is not None
    u_20, v_10, v_30 = table.time.tolist()
    return [v_30, u_20, v_10]


def test_read_interaction_table() -> None:
    frame = make_frame(stars=[1, 2, 3], at=[0.5, 1.5, 2.5])
    table = read_interaction_table(frame, rating='stars', timestamp='at')
    assert table.user_ids.tolist() == ['u', 'v']
    assert table.item_ids.tolist() == [10, 20, 30]
    assert table.edge_index.tolist() == [[0, 1, 1], [1, 0, 2]]
    assert table.rating is not None
    assert table.rating.tolist() == [2, 3, 1]
    assert table.time is not None
    assert table.time.tolist() == [1.5, 2.5, 0.5]
    table = read_interaction_table(frame)
    assert table.rating is table.time is None


def test_read_interaction_table_of_categories() -> None:
    frame = make_frame().astype({'user_id': 'category', 'item_id': 'category'})
    table = read_interaction_table(frame)
    assert table.user_ids.tolist() == ['u', 'v']
    assert table.item_ids.tolist() == [10, 20, 30]


def test_read_interaction_table_of_edge_index() -> None:
    table = read_interaction_table(torch.tensor([[5, 2], [1, 9]]))
    assert table.user_ids.tolist() == [2, 5]
    assert table.edge_index.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    'times',
    [
        ['2024-03-01', '2024-02-28', '2024-02-29'],
        [
            '2024-03-01T00:00:00Z',
            '2024-02-28T02:00:00+02:00',
            '2024-02-29T01:00:00+01:00',
        ],
        pd.to_datetime(['2024-03-01', '2024-02-28', '2024-02-29']),
        pd.to_datetime(['2024-03-01', '2024-02-28', '2024-02-29'], utc=True),
        [
            date(2024, 3, 1),
            date(2024, 2, 28),
            date(2024, 2, 29),
        ],
    ],
)
def test_read_interaction_table_with_dates(times: Any) -> None:
    last, first, between = times_of(times)
    assert last - between == between - first > 0


def test_read_interaction_table_keeps_large_timestamps() -> None:
    # Nanoseconds, which double precision could not tell apart.
    times = [1_700_000_000_000_000_002, 1_700_000_000_000_000_001, 0]
    assert times_of(times) == times
    assert times_of([str(time) for time in times]) == times


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        (
            {'user_id': ['u', None, None]},
            "an id in every row of column 'user_id' (got none in row 1, and 2 missing",
        ),
        ({'user_id': [None] * 3}, '(got none in row 0, and 3 missing in total)'),
        ({'item_id': [1, 2, None]}, "column 'item_id' (got none in row 2"),
        ({'item_id': ['a', 'b', '']}, "column 'item_id' (got none in row 2"),
        (
            {'item_id': ['a', 'b', 3]},
            "'item_id' needs to hold either strings or integers, not both (got 'a' in "
            'position 0 and 3 in position 2)',
        ),
        ({'item_id': [1.0, 2.0, 3.0]}, "'item_id' needs to hold strings or integers"),
        (
            {'stars': [1, None, 2]},
            "finite numbers in column 'stars' (got nan in row 1, and 1 such values in",
        ),
        ({'stars': [1, 'good', 2]}, "(got 'good' in row 1"),
        ({'stars': [1, 2, float('inf')]}, '(got inf in row 2'),
        (
            {'at': ['2024-01-01', '31.12.2024', '12/31/2024']},
            "dates such as 2024-01-31 or 2024-01-31 23:59:59 in column 'at' (got "
            "'31.12.2024' in row 1, and 2 such values in total)",
        ),
        ({'at': ['2024-01-01', None, '']}, "in column 'at' (got"),
        ({'at': [1, '2024-01-01', 3]}, "dates throughout in column 'at' (got '2024"),
        ({'at': [1.0, 2.0, float('nan')]}, '(got nan in row 2'),
        (
            {'at': pd.to_datetime(['2024-01-01', None, None])},
            'in row 1, and 2 such values in total)',
        ),
    ],
)
def test_read_interaction_table_errors(columns: dict[str, Any], message: str) -> None:
    names = {'rating': 'stars'} if 'stars' in columns else {}
    names |= {'timestamp': 'at'} if 'at' in columns else {}
    with pytest.raises(ValueError, match=re.escape(message)):
        read_interaction_table(make_frame(**columns), **names)


def test_read_interaction_table_names_lines(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('user_id,item_id,stars\nu,1,5\n\nv,,4\nw,2,four\n')
    message = (
        f"'{path}' needs to hold an id in every line of column 'item_id' (got none"
    )
    with pytest.raises(ValueError, match=re.escape(message) + r' in line 4.*'):
        read_interaction_table(str(path))
    path.write_text('user_id,item_id,stars\nu,1,5\n\nv,1,4\nw,2,four\n')
    with pytest.raises(ValueError, match=r"\(got 'four' in line 5"):
        read_interaction_table(path, rating='stars')


def test_read_interaction_table_without_rows() -> None:
    with pytest.raises(ValueError, match=r'needs to hold interactions \(got none\)'):
        read_interaction_table(make_frame()[:0])
    with pytest.raises(ValueError, match=r'needs to hold interactions \(got none\)'):
        read_interaction_table(torch.empty(2, 0, dtype=torch.long))
    with pytest.raises(ValueError, match="need 'interactions' to be a table"):
        read_interaction_table(torch.zeros(2, 1, dtype=torch.long), rating='stars')


def test_ids_that_are_lists() -> None:
    for column in ('user_id', 'item_id'):
        frame = make_frame(**{column: [['a'], ['b'], ['c']]})
        message = rf"'{column}' needs to hold strings or .* \(got \['a'\] of type list"
        with pytest.raises(ValueError, match=message):
            read_interaction_table(frame)
