r"""Looks into the folders of saved models, and changes them behind their back."""

import json

from lgmrec_pyg.storage import load_card, save_tensors
from lgmrec_pyg.storage.card import _digest


def files(folder):
    return sorted(entry.name for entry in folder.iterdir())


def weights_of(folder):
    return folder / load_card(folder)['weights']['file']


def edit(folder, **changes):
    card = json.loads((folder / 'card.json').read_text())
    (folder / 'card.json').write_text(json.dumps(card | changes))


def vouch(path):
    r"""What a card says of a file that belongs to it."""
    size = path.stat().st_size
    return {'file': path.name, 'bytes': size, 'sha256': _digest(str(path))}


def replace_weights(folder, tensors):
    r"""Another file of weights, which the card vouches for."""
    path = folder / f'model-{12 * "0"}.safetensors'
    save_tensors(tensors, path)
    edit(folder, weights=vouch(path))
