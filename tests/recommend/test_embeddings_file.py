import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from lgmrec_pyg.recommend import Recommender
from lgmrec_pyg.storage import load_metadata, load_tensors, save_tensors

TEXT = st.text(min_size=1, max_size=9).filter(lambda text: text[-1] != '\0')
IDS = st.one_of(
    st.lists(TEXT, min_size=1, max_size=6, unique=True),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6, unique=True),
)


@given(users=IDS, items=IDS, dtype=st.sampled_from([torch.float32, torch.bfloat16]))
@settings(max_examples=40, deadline=None)
def test_round_trip_to_the_bit(tmp_path_factory, users, items, dtype):
    path = tmp_path_factory.mktemp('out') / 'emb.safetensors'
    user_emb = torch.randn(len(users), 3).to(dtype)
    item_emb = torch.randn(len(items), 3).to(dtype)
    seen = (torch.rand(len(users), len(items)) < 0.5).nonzero().t()
    Recommender(user_emb, item_emb, users, items, seen).save(path)
    out = Recommender.load(path)
    assert torch.equal(out.user_emb, user_emb)
    assert torch.equal(out.item_emb, item_emb)
    assert out.user_emb.dtype == dtype
    assert out.users.ids == users
    assert out.items.ids == items
    assert torch.equal(out.seen, seen)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'emb.safetensors'
    torch.manual_seed(0)
    seen = torch.tensor([[0, 1], [2, 0]])
    emb = torch.randn(2, 4), torch.randn(3, 4)
    Recommender(*emb, ['ann', 'ö'], [7, 8, 9], seen).save(path)
    return path


def rewrite(path, **changes):
    tensors = {**load_tensors(path), **changes}
    tensors = {name: x for name, x in tensors.items() if x is not None}
    save_tensors(tensors, path, load_metadata(path))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'item_emb': None}, 'item_emb'),
        ({'users': torch.ones(2)}, 'users'),
        ({'user_ids': torch.full((2, 16), 0xC3, dtype=torch.uint8)}, 'utf-8'),
        ({'user_ids': torch.zeros(2, 16, dtype=torch.uint8)}, 'non-empty ids'),
        ({'user_ids': torch.tensor([3.5, 5.0])}, 'strings or integers'),
        ({'item_ids': torch.tensor([7, 7, 9])}, 'each id once'),
        ({'item_ids': torch.tensor([7, 8])}, "'item_ids' needs to hold 3 ids"),
        ({'item_ids': torch.tensor([[7, 8, 9]])}, "'item_ids' needs to be a one-dim"),
        ({'seen': torch.tensor([[0], [3]])}, "'seen' needs to hold"),
        ({'seen': torch.tensor([[-1], [0]])}, "'seen' needs to hold"),
        ({'seen': torch.tensor([0.5])}, 'embeddings and ids'),
        ({'item_emb': torch.ones(3, 5)}, r"'item_emb' .* \[\*, 4\]"),
        ({'item_emb': torch.full((3, 4), float('nan'))}, 'NaN'),
        ({'item_emb': torch.ones(3)}, "'item_emb' needs to be of shape"),
    ],
)
def test_damage_is_named(saved, changes, message):
    rewrite(saved, **changes)
    with pytest.raises(ValueError, match=message) as error:
        Recommender.load(saved)
    assert str(saved) in str(error.value)


def test_truncated_file_is_refused(saved):
    content = saved.read_bytes()
    for size in (0, 5, 40, len(content) - 1):
        saved.write_bytes(content[:size])
        with pytest.raises(ValueError, match='needs to be an undamaged file'):
            Recommender.load(saved)


def test_every_flipped_bit_is_seen(saved):
    content = saved.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        saved.write_bytes(damaged)
        with pytest.raises(ValueError, match=re.escape(str(saved))):
            Recommender.load(saved)


def test_other_formats_are_refused(tmp_path, saved):
    path = tmp_path / 'other'
    path.write_bytes(pickle.dumps({'user_emb': [1.0] * 99}, protocol=4))
    with pytest.raises(ValueError, match="format of 'safetensors'"):
        Recommender.load(path)
    save_tensors({'user_emb': torch.ones(1, 1)}, path)
    with pytest.raises(ValueError, match=r'got .*None.* instead of .*embeddings'):
        Recommender.load(path)
    save_tensors(load_tensors(saved), path, {**load_metadata(saved), 'version': '1'})
    with pytest.raises(ValueError, match=r"'version': '1'.* instead of"):
        Recommender.load(path)
    path.write_bytes(save(load_tensors(saved), load_metadata(saved)))
    with pytest.raises(ValueError, match='it lacks the digest'):
        Recommender.load(path)
    with pytest.raises(FileNotFoundError, match='none'):
        Recommender.load(tmp_path / 'none')
