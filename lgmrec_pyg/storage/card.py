import hashlib
import json
import os
import os.path as osp
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lgmrec_pyg.storage.atomic import (
    atomic_write,
    locked,
    make_folder,
    remove_leftovers,
)
from lgmrec_pyg.storage.json_file import load_json, size_of, to_plain

CARD = 'card.json'
FORMAT, VERSION = 'lgmrec_pyg.model', 2
MAX_CARD = 2**20
NAMES = {'weights': 'model-{}.safetensors', 'ids': 'ids-{}.json'}
ANY_NAME = r'card\.json|model-[0-9a-f]{12}\.safetensors|ids-[0-9a-f]{12}\.json'
FIELDS: dict[str, tuple[type, ...]] = {
    'class': (str,),
    'settings': (dict,),
    'dtype': (str,),
    'weights': (dict,),
    'ids': (dict, type(None)),
    'data': (dict, type(None)),
    'metrics': (dict, type(None)),
    'packages': (dict,),
}


def load_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    r"""Loads the card of a saved model: its class, settings and metrics, and
    what it was trained on and with.

    Args:
        path (str or os.PathLike): The folder of the model.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If the card is damaged, or of another version.
    """
    path = os.fspath(path)
    file = osp.join(path, CARD)
    if not osp.lexists(file):
        raise FileNotFoundError(f"'{path}' holds no saved model (no '{CARD}' in there)")
    card = load_json(file, MAX_CARD)
    if card.get('format') != FORMAT:
        raise ValueError(
            f"'format' in '{file}' needs to be '{FORMAT}' (got "
            f'{card.get("format")!r:.50})'
        )
    if card.get('version') != VERSION:
        raise ValueError(
            f"'version' in '{file}' needs to be {VERSION} (got "
            f'{card.get("version")!r:.50}): use the release that wrote it, or save '
            f'the model anew'
        )
    for name, types in FIELDS.items():
        if name not in card or not isinstance(card[name], types):
            raise ValueError(
                f"'{name}' in '{file}' needs to be of type '{types[0].__name__}' (got "
                f"'{type(card.get(name)).__name__}')"
            )
    return card


@contextmanager
def open_folder(path: str) -> Iterator[dict[str, Any]]:
    r"""Keeps the files of a saved model from being replaced, and yields its
    card.

    Args:
        path (str): The folder of the model.

    Raises:
        FileNotFoundError: See :func:`load_card`.
        ValueError: See :func:`load_card`.
    """
    if not osp.isdir(path):
        raise FileNotFoundError(f"'{path}' holds no saved model (it is no folder)")
    with locked(path, shared=True):
        yield load_card(path)


def save_folder(
    path: str,
    card: dict[str, Any],
    contents: dict[str, Callable[[], Iterable[Any]]],
) -> None:
    r"""Saves a model in a folder. The old one stays until the new one is
    complete: files are named by their content, and the card, which names them,
    is replaced last.

    Args:
        path (str): The folder.
        card (Dict[str, Any]): The card, of plain types.
        contents (Dict[str, Callable]): What yields the bytes of
            :obj:`"weights"` and :obj:`"ids"`.

    Raises:
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
    """
    card = {'format': FORMAT, 'version': VERSION, **card}
    _to_bytes(card)  # Nothing is written in case it cannot be.
    make_folder(path)
    with locked(path):
        try:
            for kind, chunks in contents.items():
                card[kind] = _save_member(path, kind, chunks)
            file = osp.join(path, CARD)
            with atomic_write(file) as partial, open(partial, 'wb') as out:
                out.write(_to_bytes(card))
        finally:
            _remove_unnamed(path)


def member(path: str, card: dict[str, Any], kind: str) -> str:
    r"""Returns the path of a file that the card of a saved model names, after
    checking that it is the one.

    Args:
        path (str): The folder of the model.
        card (Dict[str, Any]): Its card.
        kind (str): :obj:`"weights"` or :obj:`"ids"`.

    Raises:
        ValueError: If the file is missing, outside of the folder, or not the one
            that the card was written for.
    """
    name = card[kind].get('file')
    pattern = re.escape(NAMES[kind]).replace(r'\{\}', '[0-9a-f]{12}')
    if not isinstance(name, str) or not re.fullmatch(pattern, name):
        raise ValueError(
            f"'{kind}' in '{osp.join(path, CARD)}' needs to name a file "
            f"'{NAMES[kind].format('*')}' in the same folder (got {name!r:.100})"
        )
    file = osp.join(path, name)
    size = size_of(file)
    if size != card[kind].get('bytes') or _digest(file) != card[kind].get('sha256'):
        raise ValueError(
            f"'{file}' is damaged, or does not belong to '{CARD}' next to it ({size} "
            f'bytes, or their SHA-256, differ): copy the whole folder again'
        )
    return file


def _to_bytes(card: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(card, indent=2, allow_nan=False, default=to_plain)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'settings' and 'metrics' need to hold finite numbers, strings, lists "
            f'and dictionaries alone ({error})'
        ) from error
    out = (text + '\n').encode()
    if len(out) > MAX_CARD:
        raise ValueError(
            f"'settings' and 'metrics' need to take up at most {MAX_CARD} bytes as "
            f'JSON (got {len(out)})'
        )
    return out


def _save_member(
    path: str, kind: str, chunks: Callable[[], Iterable[Any]]
) -> dict[str, Any]:
    digest = hashlib.sha256()
    for chunk in chunks():
        digest.update(chunk)
    name = NAMES[kind].format(digest.hexdigest()[:12])
    with atomic_write(osp.join(path, name)) as partial, open(partial, 'wb') as file:
        file.writelines(chunks())
        size = file.tell()
    return {'file': name, 'bytes': size, 'sha256': digest.hexdigest()}


def _remove_unnamed(path: str) -> None:
    remove_leftovers(path, ANY_NAME)
    try:
        card = load_card(path)
    except (OSError, ValueError):
        return
    named = [card[kind]['file'] for kind in NAMES if card[kind] is not None]
    for entry in os.listdir(path):
        if re.fullmatch(ANY_NAME, entry) and entry not in [CARD, *named]:
            os.remove(osp.join(path, entry))


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
