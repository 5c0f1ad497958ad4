import json
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from lgmrec_pyg.storage import load_metadata, load_tensors, save_tensors

TENSORS = {
    'weight': torch.randn(3, 5),
    'wide': torch.randn(2, 2, dtype=torch.float64),
    'half': torch.randn(7).bfloat16(),
    'flags': torch.tensor([True, False, True]),
    'scalar': torch.tensor(3.5),
    'empty': torch.empty(0, 4),
    'counts': torch.tensor([[2**62, -1]]),
}


def equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


@given(
    shapes=st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda name: name != '__metadata__'),
        st.tuples(
            st.lists(st.integers(0, 4), max_size=3),
            st.sampled_from([torch.float64, torch.bfloat16, torch.int32, torch.bool]),
        ),
        max_size=5,
    ),
    metadata=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_any_names_shapes_and_types(shapes, metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp('any') / 'x'
    tensors = {
        name: (100 * torch.randn(shape)).to(dtype)
        for name, (shape, dtype) in shapes.items()
    }
    save_tensors(tensors, path, metadata)
    out = load_tensors(path, checked=True)
    assert set(out) == set(tensors)
    assert all(equal(out[name], tensors[name]) for name in tensors)
    assert load_metadata(path) == metadata


def test_round_trip(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors(TENSORS, path, {'epoch': '3'})
    out = load_tensors(path)
    assert set(out) == set(TENSORS)
    assert all(equal(out[name], TENSORS[name]) for name in TENSORS)
    assert load_metadata(path) == {'epoch': '3'}
    path.write_bytes(path.read_bytes()[:50])  # What was loaded does not change.
    assert equal(out['weight'], TENSORS['weight'])


def test_what_the_reference_writes_is_read(tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(save(TENSORS, {'epoch': '3'}))
    assert all(equal(x, TENSORS[name]) for name, x in load_tensors(path).items())
    assert load_metadata(path) == {'epoch': '3'}


def test_views_and_shared_memory(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    views = {'t': base.t(), 'row': base[1], 'base': base, 'wide': base[:1].expand(5, 4)}
    save_tensors(views, tmp_path / 'x')
    out = load_tensors(tmp_path / 'x')
    assert all(equal(out[name], views[name]) for name in views)


def test_no_metadata(tmp_path):
    save_tensors({}, tmp_path / 'x')
    assert load_tensors(tmp_path / 'x') == {}
    assert load_metadata(tmp_path / 'x') == {}


def test_sparse_tensors_are_refused_before_anything_is_written(tmp_path):
    save_tensors({'a': torch.ones(1)}, tmp_path / 'x')
    with pytest.raises(RuntimeError, match='Contiguous'):
        save_tensors({'b': torch.eye(2).to_sparse()}, tmp_path / 'x')
    assert load_tensors(tmp_path / 'x')['a'].item() == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ['x']


class Trap:
    def __reduce__(self):
        return (pytest.fail, ('executed',))


@pytest.mark.parametrize('zipped', [True, False])
def test_a_pickle_is_not_opened(tmp_path, zipped):
    path = tmp_path / 'model.safetensors'
    torch.save({'x': Trap()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"in the format of 'safetensors'"):
        load_tensors(path)


def with_header(header, body=b''):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, 'little') + text + body


def entry(start, end, shape=(1,), dtype='F32'):
    return {'dtype': dtype, 'shape': list(shape), 'data_offsets': [start, end]}


DAMAGED = {
    'empty': b'',
    'seven bytes': 7 * b'\0',
    'no header': 8 * b'\0',
    'absurd header': (2**63).to_bytes(8, 'little') + b'{}',
    'header beyond the end': (100).to_bytes(8, 'little') + b'{}',
    'no JSON': with_header(b'not JSON'),
    'a list': with_header([]),
    'deep JSON': with_header(10_000 * b'[' + 10_000 * b']'),
    'no bytes': with_header({'a': entry(0, 4)}),
    'offsets beyond the end': with_header({'a': entry(0, 2**40, [2**38])}, 4 * b'\0'),
    'offsets that overlap': with_header(
        {'a': entry(0, 4), 'b': entry(0, 4)}, 4 * b'\0'
    ),
    'a hole': with_header({'a': entry(4, 8)}, 8 * b'\0'),
    'negative offsets': with_header({'a': entry(-4, 0)}, 4 * b'\0'),
    'bytes to spare': with_header({'a': entry(0, 4)}, 8 * b'\0'),
    'shape of another size': with_header({'a': entry(0, 4, [2**31, 2**31])}, 4 * b'\0'),
    'unknown type': with_header({'a': entry(0, 4, dtype='OBJECT')}, 4 * b'\0'),
}


@pytest.mark.parametrize('name', list(DAMAGED))
def test_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(DAMAGED[name])
    for load_some in (load_tensors, load_metadata):
        with pytest.raises(
            ValueError, match=r"x\.safetensors' needs to be an undamaged"
        ):
            load_some(path)


def test_types_that_pytorch_lacks_are_refused(tmp_path):
    path = tmp_path / 'x.safetensors'
    header = {'a': entry(0, 3, [4], dtype='F6_E2M3')}
    path.write_bytes(with_header(header, 3 * b'\0'))
    with pytest.raises(ValueError, match=r"x\.safetensors' needs to be an undamaged"):
        load_tensors(path)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors({'a': torch.ones(2, 2)}, path, {'epoch': '3'})
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match='undamaged'):
            load_tensors(path)


def test_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors({'a': torch.ones(2, 3), 'b': torch.tensor([7])}, path, {'epoch': '3'})
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"x\.safetensors' needs to be an undamaged"
        ):
            load_tensors(path, checked=True)


def test_damaged_values_are_seen_without_asking(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors({'a': torch.ones(2**19)}, path, {'epoch': '3'})
    content = path.read_bytes()
    for damaged in (content[:-1] + b'\0', content.replace(b'"3"', b'"4"')):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='its digest differs'):
            load_tensors(path)


def test_files_without_a_digest_are_refused_if_they_need_one(tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(save(TENSORS, {'epoch': '3'}))
    with pytest.raises(ValueError, match='it lacks the digest'):
        load_tensors(path, checked=True)


def test_missing_files_folders_and_pipes(tmp_path):
    with pytest.raises(FileNotFoundError, match='missing'):
        load_tensors(tmp_path / 'missing')
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path, tmp_path / 'pipe'):
        with pytest.raises(ValueError, match='no regular file'):
            load_tensors(path)


@pytest.mark.parametrize('place', ['name', 'metadata'])
def test_names_that_are_no_unicode_are_refused(tmp_path, place):
    name = 'weights of \ud800'
    arguments = {name: torch.ones(1)}, tmp_path / 'file', {'a': 'b'}
    if place == 'metadata':
        arguments = {'a': torch.ones(1)}, tmp_path / 'file', {'a': name}
    with pytest.raises(ValueError, match='surrogates not allowed'):
        save_tensors(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_names_and_metadata_of_any_language(tmp_path):
    save_tensors({'größe 大': torch.ones(1)}, tmp_path / 'file', {'ключ': '値'})
    assert list(load_tensors(tmp_path / 'file')) == ['größe 大']
    assert load_metadata(tmp_path / 'file') == {'ключ': '値'}
