import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lgmrec_pyg.datasets import graph_from_recbole
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, modalities, validate_graph

INTER = (
    'user_id:token\titem_id:token\trating:float\ttimestamp:float\n'
    '196\t242\t3\t300\n196\t7\t4\t100\n196\t"x\t5\t200\n22\t7\t1\t50\n'
)
ITEM = (
    'item_id:token\tmovie_title:token_seq\tyear:token\tclass:token_seq\tvec:float_seq\n'
    '242\tToy Story\t1995\tComedy Animation\t0.5 1\n'
    '"x\tQuoted "Title"\t\tComedy\t\n'
    '7\t\t1999\t\t2 3.5\n'
    '9\tNever seen\t\tDrama\t7 7\n'
)


def write(root: Path, **files: str) -> Path:
    folder = root / 'ml-100k'
    folder.mkdir()
    for name, text in files.items():
        (folder / f'ml-100k.{name.replace("_", ".")}').write_text(text)
    return folder


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[float(len(text))] for text in texts])


def test_graph_from_recbole(tmp_path: Path) -> None:
    folder, encoder = write(tmp_path, inter=INTER, item=ITEM), Recorder()
    data = graph_from_recbole(
        folder, encoder, texts=['movie_title', 'year'], split='leave_one_out'
    )
    validate_graph(data)
    assert get_ids(data, 'user') == ['196', '22']
    assert get_ids(data, 'item') == ['"x', '242', '7']
    assert data[INTERACTS].edge_index.tolist() == [[0, 1], [2, 2]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [0]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[0], [1]]
    assert modalities(data) == ['vec', 'text', 'class']
    assert data['vec'].x.tolist() == [[0.5, 1], [2, 3.5]]
    assert data[describes('vec')].edge_index.tolist() == [[0, 1], [1, 2]]
    assert encoder.seen == ['Quoted "Title"', 'Toy Story 1995', '1999']
    assert data['class'].x.tolist() == [[0, 1], [1, 1]]  # Animation, Comedy
    data = graph_from_recbole(
        f'{folder}/', labels=[], min_rating=3, all_items=True, val_ratio=0, test_ratio=0
    )
    assert get_ids(data, 'item') == ['"x', '242', '7', '9']
    assert data[INTERACTS].num_edges == 3
    assert modalities(data) == ['vec']
    data = graph_from_recbole(folder, labels=['year'])
    assert data['year'].x.tolist() == [[1, 0], [0, 1]]


def test_graph_from_recbole_of_given_splits(tmp_path: Path) -> None:
    lines = INTER.splitlines(keepends=True)
    folder = write(
        tmp_path,
        train_inter=''.join(lines[:3]),
        valid_inter=lines[0] + lines[3],
        test_inter=lines[0] + lines[4],
    )
    with pytest.warns(UserWarning, match='1 users and 1 items without a training'):
        data = graph_from_recbole(folder)
    assert data[INTERACTS].edge_index.tolist() == [[0, 0], [1, 2]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [0]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[1], [2]]
    assert modalities(data) == []


@pytest.mark.parametrize(
    ('files', 'options', 'message'),
    [
        ({'item': ITEM}, {}, 'ml-100k.inter'),
        ({'inter': INTER, 'item': ITEM}, {'labels': ['vec']}, "(got 'vec', where the"),
        ({'inter': INTER, 'item': ITEM}, {'texts': ['title']}, "'encoder' and 'texts'"),
        ({'inter': INTER, 'item': ITEM + '7\t\t\t\t\n'}, {}, "(got '7' twice)"),
        (
            {'inter': INTER, 'item': 'item_id\tx\n7\ty\n'},
            {},
            'of RecBole ("None of [\'',
        ),
        ({'inter': INTER, 'item': 'item_id:token\tx\n7\ty\n'}, {}, "columns ['x'])"),
        ({'inter': 'user\titem\n1\t2\n'}, {}, "one column 'user_id'"),
        (
            {'inter': INTER, 'item': ITEM.replace('0.5 1', '0.5 y')},
            {},
            "'features' of 'vec' need to be equally long rows of real numbers",
        ),
        (
            {'inter': INTER, 'item': 'item_id:token\tv:float_seq\n8\t1 2\n'},
            {},
            "'features' of 'v' need to describe items such as",
        ),
        (
            {'inter': INTER, 'item': 'item_id:token\tc:token_seq\n8\tA\n'},
            {},
            'the texts and labels need to describe items such as',
        ),
    ],
)
def test_graph_from_recbole_errors(
    tmp_path: Path, files: dict, options: dict[str, Any], message: str
) -> None:
    folder = write(tmp_path, **files)
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)):
        graph_from_recbole(folder, **options)


def test_graph_from_recbole_of_labels(tmp_path: Path) -> None:
    inter = INTER.replace('rating', 'label').replace('\t1\t50', '\t0\t50')
    options: dict[str, Any] = {'val_ratio': 0, 'test_ratio': 0}
    data = graph_from_recbole(
        write(tmp_path, inter=inter), rating='label', min_rating=1, **options
    )
    assert get_ids(data, 'user') == ['196']
    assert data[INTERACTS].num_edges == 3
