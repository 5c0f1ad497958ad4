import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from model_folders import files

from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.storage import load_model, save_model


class Stop(BaseException):
    pass


@pytest.mark.parametrize('call', range(2))
@pytest.mark.parametrize('when', ['before', 'after'])
def test_the_old_model_survives_until_the_new_one_is_complete(
    saved, data, monkeypatch, call, when
):
    old = load_model(saved).state_dict()
    new = LGMRec.from_data(data, embedding_dim=8)
    replace, calls = os.replace, []

    def stop_here(*args):
        calls.append(args)
        if len(calls) == call + 1 and when == 'before':
            raise Stop
        replace(*args)
        if len(calls) == call + 1:
            raise Stop

    monkeypatch.setattr(os, 'replace', stop_here)
    with pytest.raises(Stop):
        save_model(new, saved, data=data)
    is_new = (call, when) != (0, 'before')
    expected = new.state_dict() if is_new else old
    got = load_model(saved, data=data).state_dict()
    assert all(torch.equal(got[name], expected[name]) for name in expected)
    monkeypatch.undo()
    save_model(new, saved, data=data)
    assert files(saved) == ['card.json', 'model.safetensors']


def test_a_failed_save_leaves_the_old_model_alone(saved, data):
    old, before = files(saved), (saved / 'card.json').read_bytes()
    new = LGMRec.from_data(data, embedding_dim=8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for size in (0, 500, 5000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            with pytest.raises(OSError, match='raise the limit on the size of files'):
                save_model(new, saved, data=data, metrics={'log': 5000 * 'x'})
            assert files(saved) == old
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (saved / 'card.json').read_bytes() == before
    load_model(saved, data=data)


def test_a_file_in_the_way(tmp_path, data):
    (tmp_path / 'file').write_text('mine')
    for path in (tmp_path / 'file', tmp_path / 'file' / 'folder'):
        with pytest.raises(OSError, match=r'cannot be written .* leads through no'):
            save_model(LGMRec.from_data(data), path)
    assert (tmp_path / 'file').read_text() == 'mine'


def test_savers_and_loaders_at_once(tmp_path, data):
    models = [LGMRec.from_data(data, embedding_dim=4) for _ in range(2)]
    save_model(models[0], tmp_path, data=data)

    def save_often(model):
        for _ in range(10):
            save_model(model, tmp_path, data=data)

    def load_often(_):
        return [load_model(tmp_path).item_embedding.weight for _ in range(10)]

    with ThreadPoolExecutor() as pool:
        saves = [pool.submit(save_often, model) for model in models]
        loads = [pool.submit(load_often, i) for i in range(2)]
        loaded = [weight for load in loads for weight in load.result()]
        assert all(save.result() is None for save in saves)
    expected = [model.item_embedding.weight for model in models]
    for weight in loaded:
        assert any(torch.equal(weight, x) for x in expected)
    assert files(tmp_path) == ['card.json', 'model.safetensors']
