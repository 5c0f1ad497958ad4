import re

import pandas as pd
import pytest
import torch

from lgmrec_pyg.datasets.interactions.filters import (
    drop_low_ratings,
    merge_repeated,
    take_core,
)
from lgmrec_pyg.datasets.interactions.table import read_interaction_table


def test_merge_repeated() -> None:
    frame = pd.DataFrame(
        {
            'user_id': [1, 0, 1, 1, 0],
            'item_id': [5, 5, 5, 4, 5],
            'at': [3, 9, 2, 7, 8],
        }
    )
    table = merge_repeated(read_interaction_table(frame, timestamp='at'))
    assert table.edge_index.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert table.time is not None
    assert table.time.tolist() == [8, 7, 2]
    table = merge_repeated(read_interaction_table(frame))
    assert table.edge_index.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert table.time is None


def test_drop_low_ratings() -> None:
    frame = pd.DataFrame(
        {'user_id': [1, 0, 1], 'item_id': [30, 20, 10], 'stars': [3.5, 4, 3]}
    )
    table = read_interaction_table(frame, rating='stars')
    assert drop_low_ratings(table, None).edge_index.size(1) == 3
    assert drop_low_ratings(table, 3.5).edge_index.tolist() == [[0, 1], [1, 2]]
    message = '(got 5, which leaves none of 3 with ratings from 3.0 to 4.0)'
    with pytest.raises(ValueError, match=re.escape(message)):
        drop_low_ratings(table, 5)


def test_take_core() -> None:
    table = read_interaction_table(torch.tensor([[0, 0, 1, 1, 2], [0, 1, 0, 1, 0]]))
    assert take_core(table, 1).edge_index.size(1) == 5
    assert take_core(table, 2).edge_index.tolist() == [[0, 0, 1, 1], [0, 1, 0, 1]]
    message = '(got 3, which leaves none of 5 of 3 users and 2 items)'
    with pytest.raises(ValueError, match=re.escape(message)):
        take_core(table, 3)
