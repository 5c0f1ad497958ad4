import hashlib

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from lgmrec_pyg.storage import load_tensors, save_tensors

TENSORS = {'a': torch.ones(2, 3), 'b': torch.tensor([7])}


def test_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors(TENSORS, path, {'epoch': '3'})
    content = path.read_bytes()
    load_tensors(path, checked=True)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x\.safetensors' is damaged"):
            load_tensors(path, checked=True)


def test_damaged_values_are_seen_without_asking(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors({'a': torch.ones(2**19)}, path, {'epoch': '3'})
    content = path.read_bytes()
    for damaged in (content[:-1] + b'\0', content.replace(b'"3"', b'"4"')):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r'is damaged .its SHA-256 differs'):
            load_tensors(path)


def test_the_digest_is_that_of_the_file_with_zeros_in_its_place(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_tensors(TENSORS, path, {'epoch': '3'})
    with safe_open(path, 'pt') as file:
        metadata = file.metadata()
    digest = metadata['lgmrec_pyg.sha256']
    content = path.read_bytes().replace(digest.encode(), 64 * b'0')
    assert hashlib.sha256(content).hexdigest() == digest
    save_tensors({'a': torch.zeros(1)}, path, metadata)
    assert load_tensors(path, checked=True)['a'].item() == 0


def test_files_without_a_digest_are_refused_if_they_need_one(tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(save(TENSORS, {'epoch': '3'}))
    with pytest.raises(ValueError, match=r'is damaged .it lacks its SHA-256'):
        load_tensors(path, checked=True)
