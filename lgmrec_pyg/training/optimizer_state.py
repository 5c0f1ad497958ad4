from typing import Any

from torch import Tensor
from torch.optim import Optimizer

IMPLEMENTATION = ('params', 'fused', 'foreach', 'capturable', 'differentiable')


def pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    r"""Returns the state of an optimizer as plain types, ready for JSON, with
    references to its tensors.

    Args:
        value (Any): The state.
        name (str): The name of its tensors.
        tensors (Dict[str, torch.Tensor]): Where to put them.

    Raises:
        ValueError: If it holds what is neither a tensor nor of a plain type.
    """
    if isinstance(value, Tensor):
        tensors[name] = value
        return {'tensor': name}
    if isinstance(value, dict):
        items = [[k, pack(x, f'{name}/{k}', tensors)] for k, x in value.items()]
        return {'dict': items}
    if isinstance(value, (list, tuple)):
        kind = 'tuple' if isinstance(value, tuple) else 'list'
        return {kind: [pack(x, f'{name}/{i}', tensors) for i, x in enumerate(value)]}
    if isinstance(value, (int, float, str, type(None))):
        return value
    raise ValueError(
        f"'{name}' needs to be of a plain type or a tensor to be saved in a "
        f"checkpoint (got '{type(value).__name__}')"
    )


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    r"""Returns the state that :meth:`pack` packed.

    Args:
        value (Any): What it returned.
        tensors (Dict[str, torch.Tensor]): The tensors.
    """
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == 'tensor':
        return tensors[content]
    if kind == 'dict':
        return {key: unpack(x, tensors) for key, x in content}
    return {'list': list, 'tuple': tuple}[kind](unpack(x, tensors) for x in content)


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    r"""Restores the state of an optimizer, but not how it computes, which
    depends on the device, which may be another one.

    Args:
        optimizer (torch.optim.Optimizer): The optimizer.
        state (Dict[str, Any]): The state, as returned by
            :meth:`torch.optim.Optimizer.state_dict`.

    Raises:
        ValueError: If the state is not of the shapes of its weights.
    """
    groups = list(zip(state['param_groups'], optimizer.param_groups, strict=True))
    for group, current in groups:
        group |= {x: current[x] for x in IMPLEMENTATION[1:] if x in current}
    optimizer.load_state_dict(state)
    for (group, _), current in zip(groups, optimizer.param_groups, strict=True):
        for index, parameter in zip(group['params'], current['params'], strict=True):
            restored = optimizer.state.get(parameter, {})
            if current.get('fused'):
                _check_shapes(restored, parameter)
            else:
                _restore_types(restored, state['state'].get(index, {}))


def _check_shapes(state: dict[str, Any], parameter: Tensor) -> None:
    # Fused optimizers trust them, and would read past the end.
    for name, value in state.items():
        shape = () if name == 'step' else parameter.shape
        if isinstance(value, Tensor) and value.shape != shape:
            raise ValueError(
                f"'{name}' of the optimizer is of shape {list(value.shape)} instead of "
                f'{list(shape)}'
            )


def _restore_types(restored: dict[str, Any], saved: dict[str, Any]) -> None:
    # All but 'step' was cast to the type of the weight, which loses digits.
    for name, value in restored.items():
        original = saved.get(name)
        if isinstance(value, Tensor) and isinstance(original, Tensor):
            restored[name] = value if name == 'step' else original.to(value.device)
