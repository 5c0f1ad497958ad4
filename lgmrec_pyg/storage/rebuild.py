import inspect
from typing import Any, get_args

import torch
from torch import Tensor
from torch.nn import Module

from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.storage.json_file import to_plain
from lgmrec_pyg.storage.tensors import DTYPES, load_tensors, open_tensors

CLASSES: dict[str, type[Module]] = {'LGMRec': LGMRec}
PLAIN: dict[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    bool: (bool,),
    str: (str,),
}
FLOATS = {
    str(dtype).removeprefix('torch.'): dtype
    for dtype in DTYPES
    if dtype.is_floating_point
}


def rebuild(
    card: dict[str, Any],
    file: str,
    model_class: type[Module] | None,
    overrides: dict[str, Any],
) -> Module:
    r"""Builds a model from its card and its weights.

    Args:
        card (Dict[str, Any]): The card of the model.
        file (str): The path of its weights.
        model_class (type, optional): Its class, if it is none of this package.
        overrides (Dict[str, Any]): Arguments of the constructor that replace
            those of the card.

    Raises:
        ValueError: If the class is unknown, or if settings or weights do not fit
            it.
    """
    cls = _class_of(card['class'], model_class)
    check_settings(cls, card['settings'])
    settings = {**card['settings'], **overrides}
    _check_names(cls, settings)
    dtype = FLOATS.get(card['dtype'])
    if dtype is None:
        raise ValueError(
            f"'dtype' of a saved model needs to be one of {list(FLOATS)} (got "
            f'{card["dtype"]!r:.50})'
        )
    _check_num_modalities(cls, settings, file)
    with torch.random.fork_rng(devices=[]):
        _check_weights(file, _expected_weights(cls, settings), dtype)
        model = cls(**settings).to(dtype)
    tensors = load_tensors(file)
    check_finite(tensors, f"'{file}'")
    model.load_state_dict(tensors)
    return model


def check_settings(cls: type[Module], settings: dict[str, Any]) -> None:
    r"""Checks that settings are arguments of the constructor of a model.

    Args:
        cls (type): The class of the model.
        settings (Dict[str, Any]): The settings.

    Raises:
        ValueError: If one is unknown, or not of the type that its annotation
            asks for.
    """
    _check_names(cls, settings)
    parameters = inspect.signature(cls).parameters
    for name, value in settings.items():
        annotation = parameters[name].annotation if name in parameters else None
        types = PLAIN.get(annotation)
        if Module in (annotation, *get_args(annotation)):
            types = (type(None),)  # Modules are no settings.
        value = to_plain(value) if hasattr(value, 'ndim') else value
        is_odd_bool = isinstance(value, bool) and types != (bool,)
        if types is not None and (is_odd_bool or not isinstance(value, types)):
            raise ValueError(
                f"'{name}' in the 'settings' of a saved model needs to be of type "
                f"'{types[-1].__name__}' (got {value!r:.100})"
            )


def check_finite(tensors: dict[str, Tensor], owner: str) -> None:
    r"""Checks that weights are finite.

    Args:
        tensors (Dict[str, torch.Tensor]): The weights.
        owner (str): What error messages call the model.

    Raises:
        ValueError: If some are not, naming the first tensor of those.
    """
    for name, tensor in tensors.items():
        num_bad = int((~tensor.isfinite()).sum())
        if num_bad > 0:
            raise ValueError(
                f"'{name}' in {owner} needs to hold finite weights (got {num_bad} that "
                f'are NaN or infinite)'
            )


def _check_names(cls: type[Module], settings: dict[str, Any]) -> None:
    parameters = inspect.signature(cls).parameters
    takes_any = any(x.kind is x.VAR_KEYWORD for x in parameters.values())
    unknown = [name for name in settings if name not in parameters]
    if unknown and not takes_any:
        raise ValueError(
            f"'settings' of a saved model need to be arguments of '{cls.__name__}' "
            f'(got {unknown[:5]!r:.200}, which it lacks)'
        )


def _class_of(name: str, given: type[Module] | None) -> type[Module]:
    if given is None and name in CLASSES:
        return CLASSES[name]
    if given is None or given.__name__ != name:
        raise ValueError(
            f"'model_class' needs to be the class of the saved model, {name!r:.100} "
            f'(got {given}). Those of this package need not be passed: {list(CLASSES)}'
        )
    return given


def _check_num_modalities(
    cls: type[Module], settings: dict[str, Any], file: str
) -> None:
    # Each takes time to build, and has weights of its own.
    dims = settings.get('feature_dims')
    with open_tensors(file) as stored:
        num_tensors = len(stored.keys())
    if issubclass(cls, LGMRec) and isinstance(dims, dict) and len(dims) > num_tensors:
        raise ValueError(
            f"'feature_dims' in the 'settings' of a saved model needs to hold the "
            f"modalities that '{file}' holds weights of (got {len(dims)}, but "
            f'{num_tensors} tensors)'
        )


def _expected_weights(cls: type[Module], settings: dict[str, Any]) -> dict[str, Tensor]:
    # Without memory, of which absurd settings could ask too much.
    try:
        with torch.device('meta'):
            return cls(**settings).state_dict()
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"'settings' of a saved model need to fit '{cls.__name__}' ({error!s:.500})"
        ) from error


def _check_weights(file: str, expected: dict[str, Tensor], dtype: torch.dtype) -> None:
    with open_tensors(file) as stored:
        names = set(stored.keys())
        if names != set(expected):
            raise ValueError(
                f"'{file}' needs to hold the weights of the model alone (missing: "
                f'{sorted(set(expected) - names)[:5]}, unexpected: '
                f'{sorted(names - set(expected))[:5]!r:.200})'
            )
        for name, tensor in expected.items():
            kind = DTYPES[dtype if tensor.is_floating_point() else tensor.dtype]
            view = stored.get_slice(name)
            got = (view.get_dtype(), view.get_shape())
            if got != (kind, list(tensor.shape)):
                raise ValueError(
                    f"'{name}' in '{file}' needs to be {kind} of shape "
                    f'{list(tensor.shape)} (got {got[0]} of shape {got[1]})'
                )
