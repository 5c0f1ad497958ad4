import os
import shutil

import pytest
import torch
from model_folders import edit, replace_weights, vouch, weights_of

from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.storage import load_ids, load_model, load_tensors, save_model


def test_mixed_folders_are_refused(saved, data, tmp_path):
    other = tmp_path / 'other'
    save_model(LGMRec.from_data(data, embedding_dim=8), other)
    shutil.copy(weights_of(other), weights_of(saved))
    with pytest.raises(ValueError, match='does not belong to'):
        load_model(saved)
    weights_of(saved).unlink()
    with pytest.raises(ValueError, match='is missing: copy the whole folder'):
        load_model(saved)


CARDS = {
    b'': 'is damaged: no JSON',
    b'\xff\xfe': 'is damaged: no JSON',
    b'{"format": "lgmrec_pyg.model", ': 'is damaged: no JSON',
    100_000 * b'[': 'is damaged: no JSON',
    b'{"format": ' + 5000 * b'9' + b'}': 'is damaged: no JSON',
    b'[]': r"a JSON object \(got 'list'\)",
    b'null': r"a JSON object \(got 'NoneType'\)",
    b'{}': r"'format' .* \(got None\)",
    b'{"format": "other"}': r"'format' .* \(got 'other'\)",
    b'{"format": "lgmrec_pyg.model", "version": 1}': r"'version' .* save the model",
    b'{"format": "lgmrec_pyg.model", "version": 2}': r"'class' .* 'NoneType'",
    b'{"format": NaN}': 'is damaged: no JSON .NaN is no finite number',
    b'{"format": [-Infinity]}': 'is damaged: no JSON .-Infinity is no finite number',
    b'{"format": 1e999}': 'is damaged: no JSON .1e999 is no finite number',
    (2**20 + 1) * b' ': r'at most 1048576 bytes \(got 1048577\)',
    b'\x80\x04\x95.': 'is damaged: no JSON',
}


@pytest.mark.parametrize('content', list(CARDS), ids=range(len(CARDS)))
def test_damaged_cards_are_refused(saved, content):
    (saved / 'card.json').write_bytes(content)
    with pytest.raises(ValueError, match=CARDS[content]):
        load_model(saved)


SETTINGS = {
    'num_users': 11,
    'num_items': 9,
    'feature_dims': {'image': 4, 'text': 7},
    'embedding_dim': 8,
}
CHANGES = [
    ({'class': 'os.system'}, r"'model_class' .* 'os.system'"),
    ({'class': ['LGMRec']}, r"'class' .* 'str' \(got 'list'\)"),
    ({'dtype': 'object'}, r"'dtype' .* \(got 'object'\)"),
    ({'dtype': 'float64'}, r'to be F64 of shape .* \(got F32'),
    ({'settings': [1]}, r"'settings' .* 'dict' \(got 'list'\)"),
    ({'settings': {}}, "need to fit 'LGMRec'"),
    ({'settings': SETTINGS | {'__init__': 1}}, r"got \['__init__'\], which"),
    ({'settings': SETTINGS | {'num_users': 12}}, r'F32 of shape \[12, 8\]'),
    ({'settings': SETTINGS | {'num_users': 10**12}}, r'shape \[1000000000000, 8\]'),
    ({'settings': SETTINGS | {'num_users': 10**30}}, "need to fit 'LGMRec'"),
    ({'settings': SETTINGS | {'num_users': -1}}, "'num_users' needs to be positive"),
    ({'settings': SETTINGS | {'num_users': '11'}}, r"type 'int' \(got '11'\)"),
    ({'settings': SETTINGS | {'num_users': True}}, r"type 'int' \(got True\)"),
    ({'settings': SETTINGS | {'dropout': None}}, r"type 'float' \(got None\)"),
    ({'settings': SETTINGS | {'feature_dims': 3}}, "need to fit 'LGMRec'"),
    ({'settings': SETTINGS | {'feature_dims': {'a': 'b'}}}, "need to fit 'LGMRec'"),
    ({'settings': SETTINGS | {'feature_dims': {}}}, 'unexpected: .*encoder'),
    ({'settings': SETTINGS | {'contrast': 'x'}}, r"type 'NoneType' \(got 'x'\)"),
    ({'weights': {}}, r'in the same folder \(got None\)'),
    ({'weights': {'file': 7}}, r'in the same folder \(got 7\)'),
    ({'weights': {'file': '../card.json'}}, 'in the same folder'),
    ({'weights': {'file': '/etc/passwd'}}, 'in the same folder'),
    ({'weights': {'file': f'../model-{12 * "0"}.safetensors'}}, 'in the same folder'),
    ({'weights': {'file': f'model-{12 * "0"}.safetensors\n'}}, 'in the same folder'),
    ({'weights': {'file': f'model-{12 * "0"}.safetensors'}}, 'is missing'),
]


@pytest.mark.parametrize(('change', 'message'), CHANGES)
def test_cards_that_lie_are_refused(saved, change, message):
    edit(saved, **change)
    with pytest.raises(ValueError, match=message):
        load_model(saved)


def test_settings_that_are_not_finite_are_refused(saved):
    edit(saved, settings=SETTINGS | {'alpha': float('nan')})
    with pytest.raises(ValueError, match='NaN is no finite number'):
        load_model(saved)


def test_modalities_without_weights_are_refused_before_they_are_built(
    saved, monkeypatch
):
    module = 'lgmrec_pyg.nn.models.lgmrec'
    monkeypatch.setattr(f'{module}.ModalityEncoder', lambda *_: pytest.fail('built'))
    dims = {f'm{i}': 4 for i in range(20_000)}
    edit(saved, settings=SETTINGS | {'feature_dims': dims})
    with pytest.raises(ValueError, match=r'weights of \(got 20000, but \d tensors\)'):
        load_model(saved)


@pytest.mark.parametrize('fingerprint', [{}, {'modalities': 3}, {'num_users': []}])
def test_damaged_fingerprints_are_refused(saved, data, fingerprint):
    edit(saved, data=fingerprint)
    with pytest.raises(ValueError, match=r"'data' in the card of .* is damaged"):
        load_model(saved, data=data)


def test_links_out_of_the_folder_are_refused(saved, tmp_path):
    weights = weights_of(saved)
    shutil.move(weights, tmp_path / 'elsewhere')
    weights.symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(ValueError, match='not a link or a device'):
        load_model(saved)
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(ValueError, match='not a link or a device'):
        load_model(saved)
    (saved / 'card.json').unlink()
    (saved / 'card.json').symlink_to('/dev/zero')
    with pytest.raises(ValueError, match='not a link or a device'):
        load_model(saved)


def test_any_damage_to_the_weights_is_seen(saved):
    path = weights_of(saved)
    content = path.read_bytes()
    for damaged in (content[:-1], content + b'\0', content[:-1] + b'\x77', b''):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='is damaged'):
            load_model(saved)


def test_weights_that_do_not_fit_are_refused(saved):
    good = load_tensors(weights_of(saved))
    name, weight = 'user_embedding.weight', good['user_embedding.weight']
    cases = [
        ({k: x for k, x in good.items() if k != name}, f"missing: \\['{name}'\\]"),
        (good | {'extra': torch.ones(1)}, r"unexpected: \['extra'\]"),
        (good | {name: weight.double()}, r'F32 of shape .* \(got F64'),
        (good | {name: weight.int()}, r'F32 of shape .* \(got I32'),
        (good | {name: weight.t().contiguous()}, r'F32 of shape .* \(got F32'),
        (good | {name: weight / 0}, 'needs to hold finite weights'),
    ]
    for tensors, message in cases:
        replace_weights(saved, tensors)
        with pytest.raises(ValueError, match=message):
            load_model(saved)
    replace_weights(saved, good)
    load_model(saved)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ('executed',))


def test_a_pickle_is_not_opened(saved):
    path = saved / f'model-{12 * "0"}.safetensors'
    torch.save({'user_embedding.weight': Trap()}, path)
    edit(saved, weights=vouch(path))
    with pytest.raises(ValueError, match='got a pickle'):
        load_model(saved)


IDS = [
    b'{"user": ["a"]}',
    b'{"user": 3}',
    b'{"item": [1, 2, 3, 4, 5, 6, 7, 8, 8]}',
    b'{"item": [1, 2, 3, 4, 5, 6, 7, 8, "9"]}',
    b'{"item": [1, 2, 3, 4, 5, 6, 7, 8, null]}',
    b'{"group": []}',
    b'[]',
    b'{',
]


@pytest.mark.parametrize('content', IDS)
def test_damaged_ids_are_refused(saved, content):
    path = saved / f'ids-{12 * "0"}.json'
    path.write_bytes(content)
    edit(saved, ids=vouch(path))
    with pytest.raises(ValueError, match=path.name):
        load_ids(saved)
    edit(saved, ids=vouch(path) | {'sha256': 64 * '0'})
    with pytest.raises(ValueError, match='does not belong to'):
        load_ids(saved)
