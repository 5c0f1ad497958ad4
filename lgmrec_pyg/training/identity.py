import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch_geometric import EdgeIndex
from torch_geometric.typing import SparseTensor

IMPLEMENTATION = ('params', 'fused', 'foreach', 'capturable', 'differentiable')


def identify_run(
    model: Any, inputs: Sequence[Any], sampler: Any, optimizer: Optimizer
) -> dict[str, Any]:
    r"""Returns what the course of a training run depends on besides its state,
    as plain types: the settings and the shapes of the model, the hyperparameters
    of the optimizer, the graph, and the training pairs in their order. Of
    features, only types and shapes count, as rounding may differ by machine.

    Args:
        model (torch.nn.Module): The model.
        inputs (Sequence[Any]): The arguments of its forward.
        sampler (TripletSampler): The training batches of an epoch.
        optimizer (torch.optim.Optimizer): The optimizer.
    """
    out = {
        'model': type(model).__name__,
        'modules': _digest([type(module).__name__ for module in model.modules()]),
        'sampler': type(sampler).__name__,
        'batches': len(sampler),
        'optimizer': type(optimizer).__name__,
    }
    for name in ('batch_size', 'num_users', 'num_items'):
        out[f'sampler.{name}'] = getattr(sampler, name, None)
    out['sampler.generator'] = getattr(sampler, 'generator', None) is not None
    pairs = [getattr(sampler, name, None) for name in ('user', 'item')]
    out['training pairs'] = _digest(pairs)
    for i, value in enumerate(inputs):
        out[f'inputs[{i}]'] = _digest(value)
    for name, value in (getattr(model, 'settings', None) or {}).items():
        out[f'settings.{name}'] = value
    # Dictionaries compare equal in any order, but optimizers count by position.
    out['order of weights'] = _digest(list(model.state_dict()))
    for name, weight in model.state_dict().items():
        out[f'weights.{name}'] = f'{weight.dtype} of shape {list(weight.shape)}'
    for i, group in enumerate(optimizer.param_groups):
        out |= {
            f'optimizer[{i}].{name}': _plain(value)
            for name, value in group.items()
            if name not in IMPLEMENTATION
        }
    return json.loads(json.dumps(out, default=str))


def other_entries(expected: dict[str, Any], got: dict[str, Any]) -> list[str]:
    r"""Returns in words what differs between two runs.

    Args:
        expected (Dict[str, Any]): What identifies the first run.
        got (Dict[str, Any]): What identifies the second one.
    """
    return [
        f"'{name}' is {_short(got.get(name))} instead of {_short(expected.get(name))}"
        for name in {**expected, **got}
        if expected.get(name) != got.get(name)
    ]


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return f'{value[:8]}...'
    return f'{value!r:.80}'


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, (list, tuple)):
        yield f'{type(value).__name__} of {len(value)}'.encode()
        for entry in value:
            yield from _parts(entry)
    elif isinstance(value, (Tensor, SparseTensor)):
        for tensor in _tensors(value):
            yield f'{tensor.dtype} of {list(tensor.shape)}'.encode()
            if not tensor.is_floating_point() and tensor.layout == torch.strided:
                yield tensor.cpu().contiguous().numpy().tobytes()
    elif isinstance(value, (int, float, str, type(None))):
        yield repr(value).encode()
    else:
        yield type(value).__name__.encode()


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, SparseTensor):
        return [x for x in value.csr() if x is not None]
    if isinstance(value, EdgeIndex):
        return [value.as_tensor()]
    if value.layout == torch.sparse_csr:
        return [value.crow_indices(), value.col_indices(), value.values()]
    if value.layout == torch.sparse_coo:
        value = value.coalesce()
        return [value.indices(), value.values()]
    return [value]
