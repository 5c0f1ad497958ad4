import json
import os

import pytest
import torch
from model_folders import edit

from lgmrec_pyg.storage import (
    load_card,
    load_ids,
    load_model,
    load_tensors,
    save_tensors,
)

REFUSED = r"model\.safetensors' needs to be"
CARDS = [
    '',
    '{"format": "lgmrec_pyg.model", ',
    100_000 * '[',
    '{"format": ' + 5000 * '9' + '}',
    '[]',
    'null',
    '{}',
    '{"format": "other"}',
    '{"format": "lgmrec_pyg.model", "version": 2}',
    '{"format": "lgmrec_pyg.model", "version": 3}',
    '{"format": "lgmrec_pyg.model", "version": 3, "settings": [], "data": null}',
    '{"format": "lgmrec_pyg.model", "version": 3, "settings": {}, "data": 3}',
    '{"format": "lgmrec_pyg.model", "version": 3, "settings": {}, "data": null}',
]


@pytest.mark.parametrize('text', CARDS, ids=range(len(CARDS)))
def test_damaged_cards_are_refused(saved, text):
    path = saved / 'model.safetensors'
    save_tensors(load_tensors(path), path, {'card': text})
    for load in (load_model, load_card, load_ids):
        with pytest.raises(ValueError, match=REFUSED):
            load(saved)


SETTINGS = {
    'num_users': 11,
    'num_items': 9,
    'feature_dims': {'image': 4, 'text': 7},
    'embedding_dim': 8,
}
CHANGES = [
    ({'class': 'os.system'}, r"'model_class' .* 'os.system'"),
    ({'class': 'RECOMMENDED'}, r"'model_class' .* 'RECOMMENDED'"),
    ({'class': ['LGMRec']}, REFUSED),
    *(
        ({'settings': SETTINGS | change}, REFUSED)
        for change in (
            {'__init__': 1},
            {'num_users': 12},
            {'num_users': 10**12},
            {'num_users': 10**30},
            {'num_users': -1},
            {'num_users': '11'},
            {'num_modality_layers': 10**9},
            {'feature_dims': 3},
            {'feature_dims': {}},
            {'feature_dims': {'a': 'b'}},
            {'feature_dims': {'image': 4, 'text': [[10**9]]}},
            {'feature_dims': {f'm{i}': 4 for i in range(20_000)}},
            {'parts': 10**6 * ['modality']},
        )
    ),
    ({'settings': {}}, REFUSED),
]


@pytest.mark.parametrize(('change', 'message'), CHANGES, ids=range(len(CHANGES)))
def test_cards_that_lie_are_refused(saved, change, message, monkeypatch):
    edit(saved, **change)
    with pytest.raises(ValueError, match=message):
        load_model(saved)


def test_absurd_settings_are_refused_before_anything_is_built(saved, monkeypatch):
    module = 'lgmrec_pyg.nn.models.lgmrec'
    monkeypatch.setattr(f'{module}.ModalityEncoder', lambda *_: pytest.fail('built'))
    dims = {f'm{i}': 4 for i in range(20_000)}
    for change in ({'feature_dims': dims}, {'num_collaborative_layers': 10**9}):
        edit(saved, settings=SETTINGS | change)
        with pytest.raises(ValueError, match=r'lack weights|exceeds all sizes'):
            load_model(saved)


@pytest.mark.parametrize('fingerprint', [{}, {'num_pairs': []}, {'user ids': 3}])
def test_damaged_fingerprints_are_another_graph_or_none(saved, data, fingerprint):
    edit(saved, data=fingerprint)
    if fingerprint:
        with pytest.raises(ValueError, match='needs to be the graph'):
            load_model(saved, data=data)
    else:
        load_model(saved, data=data)


def test_pipes_and_devices_are_refused(saved):
    path = saved / 'model.safetensors'
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match='no regular file'):
        load_model(saved)
    path.unlink()
    path.symlink_to('/dev/zero')
    with pytest.raises(ValueError, match='no regular file'):
        load_model(saved)


def test_any_damage_is_seen(saved):
    path = saved / 'model.safetensors'
    content = path.read_bytes()
    for damaged in (content[:-1], content + b'\0', content[:-1] + b'\x77', b''):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='needs to be an undamaged file'):
            load_model(saved)


def test_weights_that_do_not_fit_are_refused(saved):
    good = load_tensors(saved / 'model.safetensors')
    name, weight = 'user_embedding.weight', good['user_embedding.weight']
    cases = [
        ({k: x for k, x in good.items() if k != name}, 'Missing key'),
        (good | {'extra': torch.ones(1)}, 'Unexpected key'),
        (good | {name: weight.double()}, 'of one type'),
        (good | {name: weight.t().contiguous()}, 'size mismatch'),
        (good | {name: weight / 0}, 'finite weights'),
        ({}, REFUSED),
    ]
    for tensors, message in cases:
        edit(saved, tensors)
        with pytest.raises(ValueError, match=message):
            load_model(saved)
    edit(saved, good)
    load_model(saved)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ('executed',))


def test_a_pickle_is_not_opened(saved):
    torch.save({'user_embedding.weight': Trap()}, saved / 'model.safetensors')
    with pytest.raises(ValueError, match="in the format of 'safetensors'"):
        load_model(saved)


IDS = [
    {'user': ['a']},
    {'user': 3},
    {'item': [1, 2, 3, 4, 5, 6, 7, 8, 8]},
    {'item': [1, 2, 3, 4, 5, 6, 7, 8, '9']},
    {'item': [1, 2, 3, 4, 5, 6, 7, 8, None]},
    {'group': []},
    [],
]


@pytest.mark.parametrize('ids', IDS)
def test_damaged_ids_are_refused(saved, ids):
    tensors = load_tensors(saved / 'model.safetensors')
    content = torch.tensor(list(json.dumps(ids).encode()), dtype=torch.uint8)
    for damaged in (content, content[:-1], content.float()):
        edit(saved, tensors | {'lgmrec_pyg.ids': damaged})
        with pytest.raises(ValueError, match=REFUSED):
            load_ids(saved)
        load_model(saved)
