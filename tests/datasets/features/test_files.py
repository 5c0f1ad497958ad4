from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lgmrec_pyg.datasets import load_item_features, save_item_features

IDS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1) | st.lists(
    st.text(st.characters(exclude_characters='\0', codec='utf-8'), min_size=1),
    min_size=1,
)


@given(IDS, st.integers(1, 4))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, ids: list, num_columns: int
) -> None:
    folder = tmp_path_factory.mktemp('features')
    x = torch.randn(len(ids), num_columns)
    save_item_features(folder, {'text': (ids, x), 'image': (ids[:1], x[:1])})
    out = load_item_features(folder)
    assert list(out) == ['image', 'text']
    assert out['text'][0] == ids
    assert torch.equal(out['text'][1], x)
    assert out['image'][0] == ids[:1]


def test_save_item_features_replaces_one_modality(tmp_path: Path) -> None:
    save_item_features(tmp_path / 'new', {'text': {'a': [1]}, 'image': {'a': [2]}})
    save_item_features(tmp_path / 'new', {'text': {'b': [3]}})
    out = load_item_features(str(tmp_path / 'new'))
    assert out['text'][0] == ['b']
    assert out['image'][1].tolist() == [[2]]


def test_save_item_features_writes_nothing_on_errors(tmp_path: Path) -> None:
    for features in [
        {'text': {'a': [1]}, 'image': {'a': [float('nan')]}},
        {'text': {'a': [1]}, 'a/b': {'a': [1]}},
        {'text': {'a': [1]}, 'a\0b': {'a': [1]}},
    ]:
        with pytest.raises(ValueError, match="'features'"):
            save_item_features(tmp_path, features)
        assert list(tmp_path.iterdir()) == []


def test_save_item_features_with_a_long_name(tmp_path: Path) -> None:
    message = r'cannot be written \(File name too long\): choose a shorter name'
    with pytest.raises(OSError, match=message):
        save_item_features(tmp_path, {'x' * 300: {'a': [1]}})
