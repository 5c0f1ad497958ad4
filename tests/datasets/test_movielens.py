import io
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from file_server import FileServer
from torch import Tensor

from lgmrec_pyg.datasets import DownloadError, graph_from_movielens, movielens
from lgmrec_pyg.graph import INTERACTS, describes, get_ids, modalities, validate_graph

FLAGS = '|'.join(['0'] * 19)
FILES = {
    'latest-small': {
        'ml-latest-small/movies.csv': (
            'movieId,title,genres\n'
            '10,"Amélie, or: Le Fabuleux Destin (2001)",Comedy|Romance\n'
            '7,NA,(no genres listed)\n'
            '300,Heat (1995),Action|Crime\n'
            '9,Never rated,Crime\n'
        ),
        'ml-latest-small/ratings.csv': (
            'userId,movieId,rating,timestamp\n'
            '1,10,3.5,100\n1,300,4.0,300\n1,7,5.0,200\n12,10,3.0,50\n12,300,4.5,60\n'
        ),
    },
    '100k': {
        'u.item': (
            f'10|Amélie, or: Le Fabuleux Destin (2001)|01-Jan-2001||http://x/?"|'
            f'0|0|0|0|0|1|0|0|0|0|0|0|0|0|1|0|0|0|0\n'
            f'7|NA||||1{FLAGS[1:]}\n'
            f'300|Heat (1995)|01-Jan-1995||http://x|'
            f'0|1|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0\n'
            f'9|Never rated||||0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0\n\n'
        ),
        'u.user': '1|24|M|technician|85711\n12|53|F|other|94043\n',
        'u1.base': '1\t10\t3\t100\n1\t300\t4\t300\n12\t300\t4\t60\n',
        'u1.test': '1\t7\t5\t200\n12\t10\t3\t50\n',
    },
    '1m': {
        'movies.dat': (
            '10::Amélie, or: Le Fabuleux Destin (2001)::Comedy|Romance\n'
            '7::NA::unknown\n'
            '300::Heat (1995)::Action|Crime\n'
            '9::Never rated::Crime\n'
        ),
        'users.dat': '1::F::1::10::48067\n12::M::56::16::70072\n',
        'ratings.dat': (
            '1::10::3::100\n1::300::4::300\n1::7::5::200\n12::10::3::50\n12::300::4::60\n'
        ),
    },
}


SMALL = FILES['latest-small']
FILES['10m'] = {
    f'ml-10M100K/{name}': text.replace('::3::', '::3.5::')
    for name, text in FILES['1m'].items()
}
for size in ('20m', '25m', '32m'):
    FILES[size] = {
        path.replace('latest-small', size): text for path, text in SMALL.items()
    }


def encode(text: str, name: str) -> bytes:
    return text.encode('latin-1' if name in ('100k', '1m') else 'utf-8')


def write_raw(root: Path, name: str, folder: str = 'raw') -> str:
    for path, text in FILES[name].items():
        target = root / folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(text, name))
    return str(root)


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[float(len(text)), 1.0] for text in texts])


@pytest.mark.parametrize('name', list(FILES))
def test_graph_from_movielens(tmp_path: Path, name: str) -> None:
    root, encoder = write_raw(tmp_path, name), Recorder()
    data = graph_from_movielens(root, name, encoder, split='leave_one_out')
    validate_graph(data)
    assert get_ids(data, 'user') == [1, 12]
    assert get_ids(data, 'item') == [7, 10, 300]
    # User 1 rated 10, then 7, then 300.
    assert data[INTERACTS].edge_index.tolist() == [[0, 1, 1], [1, 1, 2]]
    assert data[INTERACTS].val_edge_label_index.tolist() == [[0], [0]]
    assert data[INTERACTS].test_edge_label_index.tolist() == [[0], [2]]

    assert modalities(data) == ['text', 'genre']
    assert encoder.seen == [
        'NA',
        'Amélie, or: Le Fabuleux Destin (2001). Comedy, Romance',
        'Heat (1995). Action, Crime',
    ]
    assert data['text'].x[:, 0].tolist() == [len(text) for text in encoder.seen]
    # Action, Comedy, Crime, Romance
    assert data['genre'].x.tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]
    assert data[describes('genre')].edge_index.tolist() == [[0, 1], [1, 2]]
    assert [path.name for path in tmp_path.iterdir()] == ['raw']


@pytest.mark.parametrize('name', list(FILES))
def test_graph_from_movielens_options(tmp_path: Path, name: str) -> None:
    root = write_raw(tmp_path, name)
    data = graph_from_movielens(root, name, min_rating=4, val_ratio=0, test_ratio=0)
    assert get_ids(data, 'item') == [7, 300]
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert modalities(data) == ['genre']
    data = graph_from_movielens(root, name, genres=False, all_items=True, k_core=2)
    validate_graph(data)
    assert get_ids(data, 'item') == [7, 9, 10, 300]
    assert modalities(data) == []


def test_graph_from_movielens_keeps_half_stars(tmp_path: Path) -> None:
    root = write_raw(tmp_path, 'latest-small')
    options: dict[str, Any] = {'min_rating': 3.5, 'val_ratio': 0, 'test_ratio': 0}
    data = graph_from_movielens(root, **options)
    assert data[INTERACTS].edge_index.tolist() == [[0, 0, 0, 1], [0, 1, 2, 2]]


@pytest.mark.parametrize(
    ('name', 'file', 'line'),
    [
        ('100k', 'u.item', 'x|Title|1'),
        ('1m', 'movies.dat', 'x::Title::'),
        ('1m', 'movies.dat', f'{"9" * 5000}::A::'),
        ('1m', 'ratings.dat', '1::10::3'),
        ('1m', 'ratings.dat', '1::10::x::100'),
        ('1m', 'ratings.dat', ''),
        ('1m', 'ratings.dat', f'{"9" * 99}::1::3::1'),
        ('100k', 'u1.base', '1\t10\t3\t100\t7'),
        ('100k', 'u1.test', '1\t10'),
        ('latest-small', 'ml-latest-small/ratings.csv', 'userId,movieId'),
        ('latest-small', 'ml-latest-small/movies.csv', 'movieId,title,genres\nx,A,B'),
        ('latest-small', 'ml-latest-small/movies.csv', 'movieId,title,genres\n1,A,B,C'),
    ],
)
def test_graph_from_movielens_of_malformed_files(
    tmp_path: Path, name: str, file: str, line: str
) -> None:
    root = write_raw(tmp_path, name)
    path = tmp_path / 'raw' / file
    path.write_text(f'{line}\n', encoding='latin-1')
    message = re.escape(f"'{path}' needs to be a table with the columns [")
    with pytest.raises(ValueError, match=message):
        graph_from_movielens(root, name)


@pytest.mark.parametrize('name', list(FILES))
def test_graph_from_movielens_downloads(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = movielens.FILES[name][0]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w') as archive:
        for path, text in FILES[name].items():
            archive.writestr(f'{folder}/{Path(path).name}', encode(text, name))
    expected = graph_from_movielens(write_raw(tmp_path / 'known', name), name)
    root = tmp_path / 'new'
    with FileServer({f'/ml-{name}.zip': packed.getvalue()}) as server:
        monkeypatch.setattr(movielens, 'URL', server.url)
        for _ in range(2):
            data = graph_from_movielens(str(root), name)
            assert get_ids(data, 'item') == get_ids(expected, 'item')
            assert data[INTERACTS].edge_index.equal(expected[INTERACTS].edge_index)
            assert data['genre'].x.equal(expected['genre'].x)
        assert len(server.requests) == 1
        assert {x.name for x in (root / 'raw').rglob('*')} == {
            folder,
            *movielens.FILES[name][1:],
        } - {''}
        server.files[f'/ml-{name}.zip'] = packed.getvalue()[:-30]
        with pytest.raises(ValueError, match=rf"ml-{name}\.zip' needs to be undamaged"):
            graph_from_movielens(str(tmp_path / 'bad'), name)
    once = partial(movielens.download, retries=0)
    monkeypatch.setattr(movielens, 'download', once)
    with pytest.raises(DownloadError, match='could not be reached'):
        graph_from_movielens(str(tmp_path / 'nowhere'), name)


@pytest.mark.parametrize('folder', ['raw', '', 'ml-25m', 'raw/ml-25m'])
def test_graph_from_movielens_finds_files(tmp_path: Path, folder: str) -> None:
    target = tmp_path / folder
    target.mkdir(parents=True, exist_ok=True)
    for path, text in FILES['25m'].items():
        (target / Path(path).name).write_text(text, encoding='utf-8')
    data = graph_from_movielens(str(tmp_path), '25m', min_rating=3.5, val_ratio=0)
    assert get_ids(data, 'user') == [1, 12]


def test_graph_from_movielens_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"needs to be one of .*\(got '20M'\)"):
        graph_from_movielens(str(tmp_path), '20M')
