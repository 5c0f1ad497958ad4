import json
import math

import pytest
import torch
from safetensors.torch import save
from small_runs import run

from lgmrec_pyg.storage import load_metadata, load_tensors, save_tensors


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    content = path.read_bytes()
    tensors, metadata = load_tensors(path), load_metadata(path)

    def refused(match):
        with pytest.raises(ValueError, match=match):
            run(checkpoint=path, resume=True)

    for size in (0, 7, 100, len(content) - 1):
        path.write_bytes(content[:size])
        refused('is damaged')
    torch.save({'model': tensors}, path)
    refused('got a pickle')
    save_tensors(tensors, path)
    refused(r'a checkpoint of version 3 \(got \(None, None\)\)')
    for key in ('history', 'optimizer', 'run'):
        for value in ('', '[', '7' * 5000, '[' * 5000, '{"tensor": "x"}', '[[1]]'):
            save_tensors(tensors, path, metadata | {key: value})
            refused('remove it to start anew|another')
    for name in tensors:
        rest = {key: x for key, x in tensors.items() if key != name}
        save_tensors(rest, path, metadata)
        refused('remove it to start anew')
        save_tensors(tensors | {name: torch.zeros(3, 1, 2)}, path, metadata)
        refused('remove it to start anew')


def test_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    content = path.read_bytes()
    for position in range(0, len(content), 397):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r'is damaged|needs to be a checkpoint'):
            run(checkpoint=path, resume=True, epochs=1)


def test_checkpoints_without_a_digest_are_refused(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    tensors, metadata = load_tensors(path), load_metadata(path)
    path.write_bytes(save(tensors, metadata))
    with pytest.raises(ValueError, match=r'is damaged .it lacks its SHA-256'):
        run(checkpoint=path, resume=True)
    save_tensors(tensors, path, metadata | {'version': '2'})
    with pytest.raises(
        ValueError, match=r"version 3 .*'2'\)\): remove it to start anew"
    ):
        run(checkpoint=path, resume=True)


HISTORIES = [
    {'losses': []},
    {'losses': 'abc'},
    {'best_epoch': 99},
    {'best_epoch': 1},
    {'best_epoch': 0},
    {'train_seconds': None},
    {'metrics': []},
    {'metrics': 3 * [{'Recall@20': math.nan}]},
    {'metrics': 3 * [{'NDCG@20': 0.5}]},
]


@pytest.mark.parametrize('change', HISTORIES)
def test_inconsistent_histories_are_refused(tmp_path, change):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=3)
    tensors, metadata = load_tensors(path), load_metadata(path)
    history = json.loads(metadata['history'])
    history['metrics'] = [{'Recall@20': value} for value in (0.1, 0.3, 0.2)]
    history['best_epoch'] = 2
    save_tensors(tensors, path, metadata | {'history': json.dumps(history)})
    assert run(checkpoint=path, resume=True, epochs=3)[2] == 0
    history |= change
    save_tensors(tensors, path, metadata | {'history': json.dumps(history)})
    with pytest.raises(ValueError, match='remove it to start anew'):
        run(checkpoint=path, resume=True)
