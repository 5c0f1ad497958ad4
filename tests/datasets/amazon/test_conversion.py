import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from amazon_files import ASINS, USERS, product, review, write_baby, write_lines
from torch import Tensor

from lgmrec_pyg.datasets import MultimodalDataset
from lgmrec_pyg.datasets.amazon import conversion, convert_amazon
from lgmrec_pyg.datasets.amazon.products import product_text
from lgmrec_pyg.datasets.layout import read_interactions
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, validate_graph

FILES = [
    'baby.inter',
    'image_feat.npy',
    'item_ids.txt',
    'text_feat.npy',
    'user_ids.txt',
]


def count_letters(texts: list[str]) -> Tensor:
    return torch.tensor([[len(text), text.count('a'), 7] for text in texts]).float()


def convert(
    folder: Path,
    modalities: tuple[str, ...] = ('image', 'text'),
    encoder: Callable = count_letters,
    seed: int = 0,
) -> None:
    convert_amazon(str(folder), 'baby', modalities, encoder, seed, progress=False)


def list_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != 'raw')


def test_convert_amazon(tmp_path: Path) -> None:
    images = write_baby(tmp_path / 'raw')
    convert(tmp_path)
    assert list_files(tmp_path) == FILES
    users, items = sorted(USERS[:-1]), ASINS[:-1]
    assert (tmp_path / 'user_ids.txt').read_text() == ''.join(f'{u}\n' for u in users)
    assert (tmp_path / 'item_ids.txt').read_text() == ''.join(f'{i}\n' for i in items)

    lines = (tmp_path / 'baby.inter').read_text().splitlines()
    assert lines[0] == 'userID\titemID\trating\ttimestamp\tx_label'
    frame = pd.read_csv(tmp_path / 'baby.inter', sep='\t')
    for user, item, rating, time in frame.to_numpy()[:, :4].tolist():
        i, j = USERS.index(users[int(user)]), ASINS.index(items[int(item)])
        # Of repeated reviews, the earlier one counts:
        assert (time, rating) == (1_300_000_000 + 100 * i - j, 5)
    inter = read_interactions(str(tmp_path / 'baby.inter'))
    assert (inter.num_users, inter.num_items) == (11, 8)
    for pairs, count in [(inter.train, 6), (inter.val, 1), (inter.test, 1)]:
        assert pairs[0].bincount().tolist() == [count] * 11

    x = np.load(tmp_path / 'image_feat.npy')
    for row, asin in zip(x, items, strict=True):
        np.testing.assert_array_equal(row, images.get(asin, np.full(4096, np.nan)))
    x = np.load(tmp_path / 'text_feat.npy')
    assert x.dtype == np.float32
    assert np.isnan(x).all(axis=1).nonzero()[0].tolist() == [2]
    rest = [i for i in range(8) if i != 2]
    texts = [product_text(product(items[i])) for i in rest]
    assert x[rest].tolist() == count_letters(texts).tolist()


def test_convert_amazon_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / 'baby'
    write_baby(folder / 'raw')
    convert(folder)
    data = MultimodalDataset(str(tmp_path), 'baby')[0]
    validate_graph(data)
    assert get_ids(data, 'user') == sorted(USERS[:-1])
    assert get_ids(data, 'item') == ASINS[:-1]
    assert data['image'].x.size() == (7, 4096)
    assert data['text'].x.size() == (7, 3)
    for modality, missing in [('image', 4), ('text', 2)]:
        node, item = data[describes(modality)].edge_index.tolist()
        assert node == list(range(7))
        assert item == [i for i in range(8) if i != missing]
    assert data[INTERACTS].edge_index.size(1) == 66


def test_convert_amazon_depends_on_the_seed_alone(tmp_path: Path) -> None:
    folders = [tmp_path / str(i) for i in range(3)]
    for folder, seed in zip(folders, [0, 0, 1], strict=True):
        write_baby(folder / 'raw')
        convert(folder, (), seed=seed)
    path = folders[1] / 'raw' / 'reviews_Baby_5.json.gz'
    lines = [review(u, a) for u in USERS[:-1] for a in ASINS[:-1]]
    write_lines(path, lines[::-1])
    (folders[1] / 'baby.inter').unlink()
    convert(folders[1], ())
    labels = [
        pd.read_csv(folder / 'baby.inter', sep='\t')[['userID', 'itemID', 'x_label']]
        for folder in folders
    ]
    assert labels[0].equals(labels[1])
    assert not labels[0].equals(labels[2])
    assert list_files(folders[0]) == ['baby.inter', 'item_ids.txt', 'user_ids.txt']


def test_convert_amazon_adds_modalities(tmp_path: Path) -> None:
    write_baby(tmp_path / 'raw')
    convert(tmp_path, ('text',))
    before = {name: (tmp_path / name).read_bytes() for name in list_files(tmp_path)}
    assert list(before) == [name for name in FILES if 'image' not in name]
    (tmp_path / 'raw' / 'reviews_Baby_5.json.gz').unlink()
    convert(tmp_path, ('image',))
    assert list_files(tmp_path) == FILES
    for name, content in before.items():
        assert (tmp_path / name).read_bytes() == content
    x = np.load(tmp_path / 'image_feat.npy')
    assert np.isnan(x).all(axis=1).nonzero()[0].tolist() == [4]


def test_convert_amazon_all_or_nothing(tmp_path: Path) -> None:
    write_baby(tmp_path / 'raw')

    def interrupted(texts: list[str]) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path, encoder=interrupted)
    assert list_files(tmp_path) == []

    path = tmp_path / 'raw' / 'image_features_Baby.b'
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r'Baby\.b. needs to be undamaged: delete it'):
        convert(tmp_path)
    assert list_files(tmp_path) == []
    (tmp_path / 'raw' / 'meta_Baby.json.gz').unlink()
    with pytest.raises(FileNotFoundError, match='meta_Baby'):
        convert(tmp_path)
    assert list_files(tmp_path) == []


def test_convert_amazon_keeps_texts_encoded_so_far(tmp_path: Path) -> None:
    write_baby(tmp_path / 'raw')

    class Counting:
        name = 'letters'
        num_texts = 0

        def __call__(self, texts: list[str]) -> Tensor:
            self.num_texts += len(texts)
            return count_letters(texts)

    encoder = Counting()
    for _ in range(2):
        convert(tmp_path, ('text',), encoder)
        (tmp_path / 'text_feat.npy').unlink()
    assert encoder.num_texts == 7


@pytest.mark.parametrize(
    ('name', 'lines', 'message'),
    [
        ('reviews_Baby_5', [review('A1', 'B1')], 'users and items with 5 reviews'),
        ('reviews_Baby_5', [], 'needs to hold undamaged lines'),
        ('meta_Baby', [], 'needs to hold undamaged lines'),
    ],
)
def test_convert_amazon_of_empty_files(
    tmp_path: Path, name: str, lines: list[str], message: str
) -> None:
    write_baby(tmp_path / 'raw')
    write_lines(tmp_path / 'raw' / f'{name}.json.gz', lines)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path)
    assert list_files(tmp_path) == []


def test_split_reviews_of_nested_cores() -> None:
    # Without the last user, an item falls out of the core, and with it another user.
    pairs = [(f'u{i}', f'i{j}') for i in range(5) for j in range(5)]
    pairs += [('u5', f'i{j}') for j in [0, 1, 2, 3, 9]]
    pairs += [(f'u{i}', 'i9') for i in range(3)] + [('u6', 'i9')]
    reviews = pd.DataFrame(pairs, columns=['user_id', 'item_id']).assign(timestamp=0)
    frame = conversion._split(reviews, seed=0)
    assert sorted(frame['user_id'].unique()) == [f'u{i}' for i in range(5)]
    assert sorted(frame['item_id'].unique()) == [f'i{i}' for i in range(5)]
    assert frame[['userID', 'itemID']].max().tolist() == [4, 4]
    assert len(frame) == 25


KILLED = """
import os, sys
import numpy as np
from lgmrec_pyg.datasets import convert_amazon

def kill(function):
    def killed(*args):
        global step
        if '.complete' in str(args):
            step -= 1
            if step < 0:
                os.kill(os.getpid(), 9)
        return function(*args)
    return killed

step = int(sys.argv[2])
for name in ('rename', 'replace', 'rmdir'):
    setattr(os, name, kill(getattr(os, name)))
convert_amazon(sys.argv[1], 'baby', ['image'], progress=False)
"""


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_convert_amazon_when_killed(tmp_path: Path) -> None:
    # The folder of four files is renamed, these move, and the folder is removed.
    for step in (0, 3, 5):
        folder = tmp_path / str(step)
        write_baby(folder / 'raw')
        args = [sys.executable, '-c', KILLED, str(folder), str(step)]
        assert subprocess.run(args).returncode == -9
        found = list_files(folder)
        assert 'baby.inter' not in found or {*FILES} - {*found} == {'text_feat.npy'}
        conversion.finish_conversion(str(folder), last='baby.inter')
        found = [name for name in list_files(folder) if name != '.staged']
        assert found == ([] if step == 0 else [f for f in FILES if 'text' not in f])
        convert(folder, ('image', 'text'))
        assert list_files(folder) == FILES
