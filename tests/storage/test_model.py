import json
import re

import numpy as np
import pytest
import torch
from graphs import irregular_graph
from model_folders import files
from torch.nn import Linear, Module

from lgmrec_pyg.graph import INTERACTS, model_inputs
from lgmrec_pyg.nn import HypergraphContrast, LGMRec
from lgmrec_pyg.storage import (
    load_card,
    load_ids,
    load_model,
    save_model,
)
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures, ToAdjacency


def embed(model, data):
    with torch.no_grad():
        return model.eval().embed(*model_inputs(ToAdjacency()(data.clone())))


@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        {'parts': ['hypergraph'], 'noise': None, 'user_logits': 'mean'},
        {'num_hyperedges': 3, 'num_modality_layers': 0, 'dropout': 0, 'alpha': 1},
        {'shared_ids': True, 'noisy_eval': False, 'normalize_hypergraph': True},
    ],
)
@pytest.mark.parametrize('num_modalities', [0, 1, 3])
def test_round_trip_to_the_bit(tmp_path, kwargs, num_modalities):
    data = irregular_graph(num_modalities, dtype=torch.float32)
    model = LGMRec.from_data(data, embedding_dim=8, **kwargs)
    save_model(model, tmp_path, data=data)
    other = load_model(tmp_path, data=data)
    assert not other.training
    for a, b in zip(embed(model, data), embed(other, data), strict=True):
        assert torch.equal(a, b)
    save_model(other, tmp_path / 'again', data=data)
    assert load_card(tmp_path / 'again') == load_card(tmp_path)


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_weights_keep_their_type(tmp_path, data, dtype):
    model = LGMRec.from_data(data, embedding_dim=8).to(dtype)
    save_model(model, tmp_path)
    other = load_model(tmp_path).state_dict()
    for name, weight in model.state_dict().items():
        assert other[name].dtype == dtype
        assert torch.equal(other[name], weight)


def test_the_card_is_readable(saved, data):
    text = (saved / 'card.json').read_text()
    assert text.startswith('{\n  "format": "lgmrec_pyg.model",')
    card = load_card(saved)
    assert json.loads(text) == card
    assert card['class'] == 'LGMRec'
    assert card['settings']['embedding_dim'] == 8
    assert card['settings']['feature_dims'] == {'image': 4, 'text': 7}
    assert card['metrics'] == {'Recall@20': 0.1 + 0.2}
    assert card['data']['num_pairs'] == data[INTERACTS].edge_index.size(1)
    assert card['packages']['torch'] == torch.__version__
    assert files(saved) == ['card.json', 'model.safetensors']


def test_ids(saved, data, tmp_path):
    ids = load_ids(saved)
    assert ids['user'].ids == data['user'].ids
    assert ids['item'].ids == data['item'].ids
    save_model(load_model(saved), tmp_path / 'plain')
    assert load_ids(tmp_path / 'plain') == {}
    del data['item'].ids
    save_model(load_model(saved), tmp_path / 'half', data=data)
    assert list(load_ids(tmp_path / 'half')) == ['user']


@pytest.mark.parametrize('as_array', [np.array, torch.tensor, tuple])
def test_ids_as_arrays(saved, data, tmp_path, as_array):
    expected = data['item'].ids
    data['item'].ids = as_array(expected)
    model = load_model(saved, data=data)
    save_model(model, tmp_path / 'again', data=data)
    assert load_ids(tmp_path / 'again')['item'].ids == expected
    assert load_card(tmp_path / 'again')['data'] == load_card(saved)['data']


@pytest.mark.parametrize('bad', ['x\ud800', None, 1.5, ''])
def test_ids_that_cannot_be_saved_are_named(saved, data, tmp_path, bad):
    data['user'].ids[4] = bad
    message = rf"'user.ids' needs .*got {re.escape(repr(bad))}.* position 4"
    with pytest.raises(ValueError, match=message):
        save_model(load_model(saved), tmp_path / 'again', data=data)
    assert files(tmp_path) == ['saved']


def test_random_numbers_are_not_used_up(saved):
    state = torch.get_rng_state()
    load_model(saved)
    assert torch.equal(torch.get_rng_state(), state)


def test_overrides(saved):
    contrast = HypergraphContrast(0.7)
    model = load_model(saved, contrast=contrast, dropout=0.0)
    assert model.contrast is contrast
    assert model.settings['dropout'] == 0.0
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        load_model(saved, depth=3)
    with pytest.raises(ValueError, match='size mismatch for user_emb'):
        load_model(saved, embedding_dim=9)


class Popularity(Module):
    def __init__(self, num_users: int, width: int = 3):
        super().__init__()
        self.settings = {'num_users': num_users, 'width': width}
        self.layer = Linear(num_users, width)
        self.register_buffer('count', torch.arange(num_users))


def test_classes_of_others(tmp_path):
    model = Popularity(5)
    save_model(model, tmp_path)
    with pytest.raises(
        ValueError, match=r"'model_class' .* 'Popularity', .* \(got None"
    ):
        load_model(tmp_path)
    with pytest.raises(
        ValueError, match=r"'model_class' .* 'Popularity', .* \(got <class"
    ):
        load_model(tmp_path, model_class=LGMRec)
    other = load_model(tmp_path, model_class=Popularity)
    assert torch.equal(other.layer.weight, model.layer.weight)
    assert torch.equal(other.count, model.count)


class Named(LGMRec):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


def test_classes_that_pass_arguments_on(tmp_path, data):
    model = Named.from_data(data, embedding_dim=8, alpha=0.7)
    save_model(model, tmp_path, data=data)
    other = load_model(tmp_path, data=data, model_class=Named)
    assert other.settings['alpha'] == 0.7
    for a, b in zip(embed(model, data), embed(other, data), strict=True):
        assert torch.equal(a, b)


def test_numbers_of_numpy_and_tensors(tmp_path, data):
    model = LGMRec.from_data(data, embedding_dim=8, dropout=np.float32(0.5))
    save_model(model, tmp_path, metrics={'a': np.float32(0.5), 'b': torch.tensor(2)})
    card = load_card(tmp_path)
    assert card['metrics'] == {'a': 0.5, 'b': 2}
    assert load_model(tmp_path).settings['dropout'] == 0.5


def test_what_cannot_be_saved(tmp_path, data):
    with pytest.raises(AttributeError, match="no attribute 'settings'"):
        save_model(Linear(2, 2), tmp_path / 'a')
    model = LGMRec.from_data(data)
    with pytest.raises(ValueError, match='finite numbers, strings, lists'):
        save_model(model, tmp_path / 'a', metrics={'Recall@20': float('nan')})
    with pytest.raises(ValueError, match=r'num_users is 12 instead of 11'):
        save_model(model, tmp_path / 'a', data=irregular_graph(num_users=12))
    model.user_embedding.double()
    with pytest.raises(ValueError, match='need to be of one type'):
        save_model(model, tmp_path / 'a')
    model.user_embedding.float().weight.data[3, 1] = float('nan')
    with pytest.raises(ValueError, match=r"'user_embedding.weight' .* finite weights"):
        save_model(model, tmp_path / 'a')
    model = LGMRec.from_data(data)
    model.settings['hidden'] = ()
    with pytest.raises(ValueError, match="unexpected keyword argument 'hidden'"):
        save_model(model, tmp_path / 'a')
    assert files(tmp_path) == []


def test_another_graph_is_refused(saved, data):
    load_model(saved, data=ToAdjacency()(DegreeNorm()(data.clone())))
    other = data.clone()
    other[INTERACTS].edge_index = other[INTERACTS].edge_index[:, 1:]
    message = r'got num_pairs is \d+ instead of \d+; other training pairs\): prepare it'
    with pytest.raises(ValueError, match=message):
        load_model(saved, data=other)
    load_model(saved, data=other, any_data=True)
    del data['user'].ids
    load_model(saved, data=data)


@pytest.mark.parametrize('change', [StandardizeFeatures(), lambda x: x])
def test_a_warning_names_other_features(saved, data, change):
    other = change(data.clone())
    if other['text'].x.equal(data['text'].x):  # Saved in half precision.
        other['image'].x, other['text'].x = (
            data['image'].x.half(),
            data['text'].x.half(),
        )
    message = r"got other values of 'image'; other values of 'text'\): prepare it"
    with pytest.warns(UserWarning, match=message):
        load_model(saved, data=other)
    load_model(saved, data=other, any_data=True)


@pytest.mark.parametrize('any_data', [False, True])
def test_other_sizes_and_ids_are_always_refused(saved, data, any_data):
    with pytest.raises(ValueError, match='num_items is 10 instead of 9'):
        load_model(saved, data=irregular_graph(num_items=10), any_data=any_data)
    with pytest.raises(ValueError, match="width of 'text' is None instead of 7"):
        load_model(saved, data=irregular_graph(1), any_data=any_data)
    data['image'].x = data['image'].x[:, 1:]
    with pytest.raises(ValueError, match="width of 'image' is 3 instead of 4"):
        load_model(saved, data=data, any_data=any_data)
    data = irregular_graph(dtype=torch.float32)
    data['user'].ids = [f'u{i}' for i in range(11)][::-1]
    with pytest.raises(ValueError, match='other user ids'):
        load_model(saved, data=data, any_data=any_data)


def test_compiled_models_are_saved_like_others(tmp_path, data):
    model = LGMRec.from_data(data, embedding_dim=8)
    save_model(torch.compile(model), tmp_path)
    other = load_model(tmp_path).state_dict()
    assert all(torch.equal(other[name], x) for name, x in model.state_dict().items())


def test_saving_again_leaves_other_files_alone(saved, data):
    (saved / 'notes.txt').write_text('mine')
    (saved / f'.model.safetensors.{16 * "0"}.tmp').write_text('half')
    save_model(LGMRec.from_data(data, embedding_dim=4), saved)
    assert files(saved) == ['card.json', 'model.safetensors', 'notes.txt']
    assert load_model(saved).settings['embedding_dim'] == 4


def test_no_model(tmp_path):
    for path in (tmp_path, tmp_path / 'missing'):
        with pytest.raises(FileNotFoundError, match=r'model\.safetensors'):
            load_model(path)
