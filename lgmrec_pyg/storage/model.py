import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch_geometric.data import HeteroData

from lgmrec_pyg import __version__
from lgmrec_pyg.graph import IdMap
from lgmrec_pyg.storage.card import member, open_folder, save_folder
from lgmrec_pyg.storage.fingerprint import fingerprint
from lgmrec_pyg.storage.json_file import load_json
from lgmrec_pyg.storage.matching import check_same_graph, check_sizes
from lgmrec_pyg.storage.rebuild import check_finite, check_settings, rebuild
from lgmrec_pyg.storage.tensors import serialize


def save_model(
    model: Module,
    path: str | os.PathLike[str],
    *,
    data: HeteroData | None = None,
    metrics: dict[str, Any] | None = None,
) -> None:
    r"""Saves a model in a folder, from which :func:`load_model` rebuilds it.

    The folder holds :obj:`card.json`, which is meant to be read: the class of
    the model, its settings, the fingerprint of its graph, metrics, and versions.
    Next to it are the weights in the format of :obj:`safetensors` and the ids of
    users and items. A model that was in the folder before stays as it is until
    the new one is complete.

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
        ValueError: If the model has no :obj:`settings`, weights that are not
            finite or of several types, or other sizes than :obj:`data`.
    """
    settings = getattr(model, 'settings', None)
    if not isinstance(settings, dict):
        raise ValueError(
            f"'model' needs to have 'settings', a dictionary of the arguments of its "
            f"constructor (got '{type(model).__name__}' without)"
        )
    check_settings(type(model), settings)
    tensors = model.state_dict()
    card: dict[str, Any] = {
        'class': type(model).__name__,
        'settings': settings,
        'dtype': _dtype_of(tensors),
        'num_weights': sum(tensor.numel() for tensor in tensors.values()),
        'weights': {},
        'ids': None,
        'data': None if data is None else fingerprint(data),
        'metrics': metrics,
        'packages': _packages(),
    }
    check_finite(tensors, "'model'")
    contents: dict[str, Any] = {'weights': lambda: serialize(tensors)}
    if data is not None:
        check_sizes(settings, card['data'], "'model'")
        ids = {kind: IdMap.of(data, kind).ids for kind in _kinds_with_ids(data)}
        if ids:
            contents['ids'] = lambda: [json.dumps(ids).encode()]
    save_folder(os.fspath(path), card, contents)


def load_model(
    path: str | os.PathLike[str],
    *,
    data: HeteroData | None = None,
    any_data: bool = False,
    model_class: type[Module] | None = None,
    **overrides: Any,
) -> Any:
    r"""Loads a model that :func:`save_model` saved, in evaluation mode and on
    CPU, with the very weights it had. Nothing in the folder is executed.

    Args:
        path (str or os.PathLike): The folder of the model.
        data (HeteroData, optional): The graph to use the model with. If it is
            not the one of its training, which its fingerprint tells, an error
            says what differs, see :func:`~lgmrec_pyg.storage.fingerprint`.
            (default: :obj:`None`)
        any_data (bool, optional): If set to :obj:`True`, the graph may differ in
            its interactions and features, *e.g.*, because there are new ones,
            but not in its sizes and ids. (default: :obj:`False`)
        model_class (type, optional): The class of the model, if it is none of
            this package. (default: :obj:`None`)
        **overrides (optional): Arguments of the constructor that replace those
            of the saved model, *e.g.*, :obj:`contrast`, which is not saved.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If the model is damaged, of an unknown class, or does not
            belong to :obj:`data`.
    """
    path = os.fspath(path)
    with open_folder(path) as card:
        if data is not None:
            check_same_graph(card, fingerprint(data), any_data, path)
        file = member(path, card, 'weights')
        return rebuild(card, file, model_class, overrides).eval()


def load_ids(path: str | os.PathLike[str]) -> dict[str, IdMap]:
    r"""Loads the ids of :obj:`"user"` and :obj:`"item"` nodes that a model was
    saved with, as far as its graph had some.

    Args:
        path (str or os.PathLike): The folder of the model.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If the ids are damaged.
    """
    path = os.fspath(path)
    with open_folder(path) as card:
        if card['ids'] is None:
            return {}
        file = member(path, card, 'ids')
        content = load_json(file, card['ids']['bytes'])
    out = {}
    for kind, ids in content.items():
        key = f'num_{kind}s'
        size = card['settings'].get(key, (card['data'] or {}).get(key))
        try:
            out[kind] = IdMap(ids)
        except ValueError as error:
            raise ValueError(f"'{file}' is damaged ({error})") from error
        if len(out[kind]) != size:
            raise ValueError(
                f"'{file}' needs to hold {size} ids of {kind}s (got {len(out[kind])})"
            )
    return out


def _kinds_with_ids(data: HeteroData) -> Iterator[str]:
    return (kind for kind in ('user', 'item') if 'ids' in data[kind])


def _packages() -> dict[str, str]:
    names = ('torch', 'torch_geometric', 'safetensors')
    out = {'python': platform.python_version(), 'lgmrec_pyg': __version__}
    return out | {name: version(name) for name in names}


def _dtype_of(tensors: dict[str, Tensor]) -> str:
    dtypes = {x.dtype for x in tensors.values() if x.is_floating_point()}
    if len(dtypes) != 1:
        raise ValueError(
            f"'model' needs to hold floating-point weights of one type (got "
            f'{sorted(map(str, dtypes))})'
        )
    return str(dtypes.pop()).removeprefix('torch.')
