import inspect
import json
import os
import os.path as osp
import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch_geometric.data import HeteroData

from lgmrec_pyg import __version__
from lgmrec_pyg.graph import ITEM, USER, IdMap
from lgmrec_pyg.nn import models
from lgmrec_pyg.nn.models.base import unwrap
from lgmrec_pyg.storage._reading import reading
from lgmrec_pyg.storage.atomic import atomic_write
from lgmrec_pyg.storage.digest import fingerprint, match_graph
from lgmrec_pyg.storage.extension import extend_model
from lgmrec_pyg.storage.tensors import load_metadata, read_tensors, save_tensors

FILE, CARD, IDS = 'model.safetensors', 'card.json', 'lgmrec_pyg.ids'
FORMAT, VERSION = 'lgmrec_pyg.model', 3
PACKAGES = ('torch', 'torch_geometric', 'safetensors')
NEEDS = f'a saved model, undamaged and of version {VERSION}'
MAX_LENGTH, MAX_NUMBER = 256, 10_000


def save_model(
    model: Module,
    path: str | os.PathLike[str],
    *,
    data: HeteroData | None = None,
    metrics: dict[str, Any] | None = None,
) -> None:
    r"""Saves a model in a folder, from which :func:`load_model` rebuilds it.

    All of it is in :obj:`model.safetensors`, which is replaced as a whole: weights,
    ids, and a card with the class of the model, its settings, the fingerprint of its
    graph, metrics, and versions. :obj:`card.json` is a copy of the card, to be read.

    .. code-block:: python

        save_model(model, 'baby', data=data, metrics=history.best_metrics)
        model = load_model('baby', data=data)

    Args:
        model (torch.nn.Module): The model, whose :obj:`settings` hold the
            arguments of its constructor.
        path (str or os.PathLike): The folder, which is created if missing.
        data (HeteroData, optional): The graph of its training, the way the model
            gets it. (default: :obj:`None`)
        metrics (Dict[str, Any], optional): What to note about its quality.
            (default: :obj:`None`)

    Raises:
        OSError: See :func:`~lgmrec_pyg.storage.atomic_write`.
        AttributeError: If the model has no :obj:`settings`.
        ValueError: If the model has weights that are not finite or of several types,
            or other sizes than :obj:`data`.
    """
    model = unwrap(model)
    settings: Any = model.settings
    tensors = model.state_dict()
    card: dict[str, Any] = {
        'format': FORMAT,
        'version': VERSION,
        'class': type(model).__name__,
        'settings': settings,
        'dtype': str(_dtype_of(tensors)).removeprefix('torch.'),
        'data': None if data is None else fingerprint(data),
        'metrics': metrics,
        'packages': {
            'python': platform.python_version(),
            'lgmrec_pyg': __version__,
            **{name: version(name) for name in PACKAGES},
        },
    }
    if data is not None:
        match_graph(settings, {}, card['data'], "'model'")
        kinds = [kind for kind in (USER, ITEM) if 'ids' in data[kind]]
        ids = json.dumps({kind: IdMap.of(data, kind).ids for kind in kinds}).encode()
        tensors = {**tensors, IDS: torch.frombuffer(bytearray(ids), dtype=torch.uint8)}
    text = _to_json(card, type(model), tensors)
    save_tensors(tensors, osp.join(path, FILE), {'card': text})
    with atomic_write(osp.join(path, CARD)) as partial, open(partial, 'w') as file:
        file.write(text + '\n')


def load_model(
    path: str | os.PathLike[str],
    *,
    data: HeteroData | None = None,
    any_data: bool = False,
    extend: bool = False,
    model_class: type[Module] | None = None,
    **overrides: Any,
) -> Any:
    r"""Loads a model that :func:`save_model` saved, in evaluation mode and on
    CPU, with the very weights it had. Nothing in the folder is executed.

    Args:
        path (str or os.PathLike): The folder of the model.
        data (HeteroData, optional): The graph to use the model with. If it is
            not the one of its training, which its
            :func:`~lgmrec_pyg.storage.fingerprint` tells, an error says what
            differs, or a warning if it is the values of features alone.
            (default: :obj:`None`)
        any_data (bool, optional): If set to :obj:`True`, the graph may differ in
            its interactions and features, *e.g.*, because there are new ones,
            but not in its sizes and ids. (default: :obj:`False`)
        extend (bool, optional): If set to :obj:`True`, the graph may have other users
            and items as well, see :func:`extend_model`. (default: :obj:`False`)
        model_class (type, optional): The class of the model, if it is none of
            :obj:`lgmrec_pyg.nn.models`. (default: :obj:`None`)
        **overrides (optional): Arguments of the constructor that replace those
            of the saved model, *e.g.*, :obj:`contrast`, which is not saved.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If the model is damaged, of an unknown class, or does not
            belong to :obj:`data`.
    """
    file = osp.join(path, FILE)
    tensors, metadata = read_tensors(file)
    tensors.pop(IDS, None)
    card = _card_of(metadata, file)
    cls = _class_of(card['class'], model_class, file)
    inspect.signature(cls).bind_partial(**overrides)  # No error of the file.
    with reading(file, NEEDS), torch.random.fork_rng(devices=[]):
        _check_settings(cls, card['settings'], tensors)
        settings = {**card['settings'], **overrides}
        with torch.device('meta'):  # Without memory, of which some ask too much.
            cls(**settings).load_state_dict(tensors, assign=True)
        model: Any = cls(**settings).to(_dtype_of(tensors))
        model.load_state_dict(tensors)
    if extend:
        if data is None:
            raise ValueError("'extend' needs 'data', the graph to go on with")
        model = extend_model(model, load_ids(path), data, **overrides)
    elif data is not None:
        known = card['data'] or {}
        match_graph(model.settings, known, fingerprint(data), f"'{file}'", any_data)
    return model.eval()


def load_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    r"""Loads the card of a saved model: its class, settings and metrics, and
    what it was trained on and with.

    Args:
        path (str or os.PathLike): The folder of the model.

    Raises:
        ValueError: If the card is damaged, or of another version.
    """
    file = osp.join(path, FILE)
    return _card_of(load_metadata(file), file)


def load_ids(path: str | os.PathLike[str]) -> dict[str, IdMap]:
    r"""Loads the ids of :obj:`"user"` and :obj:`"item"` nodes that a model was
    saved with, as far as its graph had some.

    Args:
        path (str or os.PathLike): The folder of the model.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If the ids are damaged.
    """
    file = osp.join(path, FILE)
    tensors, metadata = read_tensors(file)
    card = _card_of(metadata, file)
    with reading(file, NEEDS):
        ids = json.loads(tensors[IDS].numpy().tobytes()) if IDS in tensors else {}
        out = {kind: IdMap(values) for kind, values in ids.items()}
        for kind, values in out.items():
            if len(values) != card['data'][f'num_{kind}s']:
                raise ValueError(f'it holds {len(values)} ids of {kind}s')
        return out


def _to_json(
    card: dict[str, Any], cls: type[Module], tensors: dict[str, Tensor]
) -> str:
    try:
        text = json.dumps(card, indent=2, allow_nan=False, default=lambda x: x.item())
        _check_settings(cls, json.loads(text)['settings'], tensors)
        return text
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"'settings' and 'metrics' need to hold finite numbers, strings, lists and "
            f"dictionaries, and 'settings' arguments of the model ({error})"
        ) from error


def _card_of(metadata: dict[str, str], file: str) -> dict[str, Any]:
    with reading(file, NEEDS):
        card = json.loads(metadata['card'])
        kind = card['format'], card['version']
        parts = card['class'], card['settings'], card['data'] or {}
        if kind != (FORMAT, VERSION) or [*map(type, parts)] != [str, dict, dict]:
            raise ValueError(f'it is {kind}, with {parts!r:.200}')
        return card


def _class_of(name: str, given: type[Module] | None, file: str) -> type[Module]:
    if given is None and name in models.__all__:
        given = getattr(models, name)
    if not isinstance(given, type) or given.__name__ != name:
        raise ValueError(
            f"'model_class' needs to be {name!r:.100}, the class of '{file}', unless "
            f"it is in 'lgmrec_pyg.nn.models' (got {given})"
        )
    return given


def _check_settings(
    cls: type[Module], settings: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    # They are arguments, and build no more than there are weights of.
    inspect.signature(cls).bind(**settings)
    numbers = [size for tensor in tensors.values() for size in tensor.shape]
    largest, longest = max(MAX_NUMBER, *numbers), max(MAX_LENGTH, len(tensors))
    for value in _nested(settings):
        if isinstance(value, int) and value > largest:
            raise ValueError(f'{value} exceeds all sizes of weights')
        if isinstance(value, (dict, list)) and len(value) > longest:
            raise ValueError(f'{len(value)} entries of {value!r:.50} lack weights')


def _nested(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, (dict, list)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _nested(entry)


def _dtype_of(tensors: dict[str, Tensor]) -> torch.dtype:
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"'{name}' needs to hold finite weights")
    dtypes = {x.dtype for x in tensors.values() if x.is_floating_point()}
    if len(dtypes) != 1:
        raise ValueError(f'Weights need to be of one type (got {dtypes})')
    return dtypes.pop()
