import json
import math

import pytest
import torch
from safetensors.torch import save
from small_runs import run

from lgmrec_pyg.storage import load_metadata, load_tensors, save_tensors

REFUSED = r'needs to be an undamaged checkpoint of version 4: remove it to start anew'


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
        refused(REFUSED)
    torch.save({'model': tensors}, path)
    refused(REFUSED)
    save_tensors(tensors, path)
    refused(REFUSED)
    for text in ('', '[', '7' * 5000, '[' * 5000, '{"tensor": "x"}', '[[1]]'):
        save_tensors(tensors, path, metadata | {'state': text})
        refused(REFUSED)
    state = json.loads(metadata['state'])
    for key in ('history', 'optimizer', 'run'):
        for value in ('', [], {}, {'tensor': 'x'}, [[1]], None):
            text = json.dumps(state | {key: value})
            save_tensors(tensors, path, metadata | {'state': text})
            refused('remove it to start anew')
    for name in tensors:
        rest = {key: x for key, x in tensors.items() if key != name}
        save_tensors(rest, path, metadata)
        refused(REFUSED)
        save_tensors(tensors | {name: torch.zeros(3, 1, 2)}, path, metadata)
        refused(REFUSED)


def test_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    content = path.read_bytes()
    for position in range(0, len(content), 397):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=REFUSED):
            run(checkpoint=path, resume=True, epochs=1)


def test_checkpoints_without_a_digest_are_refused(tmp_path):
    path = tmp_path / 'run'
    run(checkpoint=path, epochs=1)
    tensors, metadata = load_tensors(path), load_metadata(path)
    path.write_bytes(save(tensors, metadata))
    with pytest.raises(ValueError, match='it lacks the digest'):
        run(checkpoint=path, resume=True)
    save_tensors(tensors, path, metadata | {'version': '2'})
    with pytest.raises(ValueError, match=REFUSED + r".*'2'\)\)"):
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
    state = json.loads(metadata['state'])
    state['history'] |= {
        'metrics': [{'Recall@20': value} for value in (0.1, 0.3, 0.2)],
        'best_epoch': 2,
    }
    save_tensors(tensors, path, metadata | {'state': json.dumps(state)})
    assert run(checkpoint=path, resume=True, epochs=3)[2] == 0
    state['history'] |= change
    save_tensors(tensors, path, metadata | {'state': json.dumps(state)})
    with pytest.raises(ValueError, match=REFUSED):
        run(checkpoint=path, resume=True)
