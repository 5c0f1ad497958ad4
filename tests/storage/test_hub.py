import sys

import pytest
import torch
from graphs import irregular_graph
from hub_server import COMMIT, hub
from model_folders import files

from lgmrec_pyg.graph import set_ids
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.storage import (
    from_pretrained,
    load_ids,
    push_to_hub,
    save_pretrained,
)


@pytest.fixture
def data():
    data = irregular_graph(dtype=torch.float32)
    set_ids(data, 'user', [f'u{i}' for i in range(11)])
    return data


def equal(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_a_local_folder(data, tmp_path):
    model = LGMRec.from_data(data, embedding_dim=8)
    save_pretrained(model, tmp_path / 'baby', data=data, metrics={'Recall@20': 0.25})
    assert files(tmp_path / 'baby') == ['README.md', 'card.json', 'model.safetensors']
    text = (tmp_path / 'baby' / 'README.md').read_text()
    assert '| Recall@20 | 0.25 |' in text
    assert "from_pretrained('baby')" in text
    assert 'A recommender of 11 users and 9 items' in text
    other = from_pretrained(tmp_path / 'baby', data=data)
    assert equal(model, other)
    assert from_pretrained(str(tmp_path / 'baby'), contrast=None).num_users == 11


def test_the_hub(data, tmp_path, monkeypatch):
    constants = pytest.importorskip('huggingface_hub.constants')
    model = LGMRec.from_data(data, embedding_dim=8)
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
    with hub() as server:
        template = server.url + '/{repo_id}/resolve/{revision}/{filename}'
        monkeypatch.setattr(constants, 'ENDPOINT', server.url)
        monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', template)
        url = push_to_hub(model, 'me/baby', data=data, token='none')
        assert url == f'{server.url}/me/baby/commit/{COMMIT}'
        expected = {'README.md', 'card.json', 'model.safetensors'}
        assert set(server.files) == expected
        assert equal(model, from_pretrained('me/baby', data=data))


def test_pushed_models_hold_no_ids_unless_asked_to(data, tmp_path):
    model = LGMRec.from_data(data, embedding_dim=8)
    save_pretrained(model, tmp_path)
    assert load_ids(tmp_path) == {}
    assert b'u10' not in (tmp_path / 'model.safetensors').read_bytes()


def test_without_the_package(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
    model = LGMRec.from_data(data, embedding_dim=8)
    save_pretrained(model, tmp_path)
    assert equal(model, from_pretrained(tmp_path))
    with pytest.raises(ImportError, match='pip install huggingface_hub'):
        from_pretrained('me/baby')
