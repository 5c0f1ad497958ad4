import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch_geometric import EdgeIndex
from torch_geometric.data import HeteroData
from torch_geometric.typing import SparseTensor

from lgmrec_pyg.graph import (
    CONFIDENCE,
    INTERACTS,
    ITEM,
    USER,
    describes,
    edge_index_of,
    get_ids,
    modalities,
    training_pairs,
)

PLAIN = (int, float, complex, str, bytes, range, slice, type(None))
SHA, VALUES = 'sha256:', 'values of '
# A module is the same in use, and wherever it lies:
IGNORED = ('name_or_path', 'training', 'warnings_issued')


def digest(value: Any, values: bool = True) -> str:
    r"""Returns the SHA-256 of tensors, arrays, modules, plain values, and containers
    of them. Dictionaries and sets count in any order, functions by name, and other
    objects by their type and public attributes.

    Args:
        value (Any): The value.
        values (bool, optional): If set to :obj:`False`, floating-point tensors count
            by their shape alone, since the last digits may differ by machine.
            (default: :obj:`True`)
    """
    sha = hashlib.sha256()
    for part in _parts(value, values, ()):
        sha.update(len(part).to_bytes(8, 'little'))
        sha.update(part)
    return SHA + sha.hexdigest()


def fingerprint(data: HeteroData) -> dict[str, Any]:
    r"""Returns what identifies a multimodal interaction graph, as plain types.

    It depends neither on the order of edges nor on whether the graph holds
    :obj:`edge_index` or :obj:`adj_t`, weighted or not. Withheld pairs do not
    matter.

    Args:
        data (HeteroData): The multimodal interaction graph.
    """
    pairs = training_pairs(data)
    out: dict[str, Any] = {
        'num_users': int(data[USER].num_nodes),
        'num_items': int(data[ITEM].num_nodes),
        'num_pairs': pairs.size(1),
        'training pairs': _digest_pairs(pairs, data),
    }
    if CONFIDENCE in data[INTERACTS]:
        order = (pairs[0] * out['num_items'] + pairs[1]).argsort()
        out[CONFIDENCE] = digest(data[INTERACTS][CONFIDENCE][order])
    for kind in (USER, ITEM):
        ids = get_ids(data, kind)
        if ids is not None:
            out[f'{kind} ids'] = digest(ids)
    for name in modalities(data):
        items = edge_index_of(data[describes(name)])
        out[f"width of '{name}'"] = data[name].num_features
        out[f"items described by '{name}'"] = _digest_pairs(items, data)
        out[f"{VALUES}'{name}'"] = digest(data[name].x)
    return out


def match_graph(
    settings: dict, expected: dict, got: dict, owner: str, any_data: bool = False
) -> None:
    r"""Checks that a graph fits the settings of a model, and is the one that the
    fingerprint of its training is of, or, with :obj:`any_data`, has its sizes and ids.
    """
    # Modalities that only the graph has do not matter, nor do ids that one side lacks.
    ids = (f'{USER} ids', f'{ITEM} ids')
    expected = {
        name: x
        for name, x in expected.items()
        if (name in got if name in ids else not any_data)
    }
    expected |= {x: settings[x] for x in ('num_users', 'num_items') if x in settings}
    dims = dict(settings.get('feature_dims') or {})
    expected |= {f"width of '{name}'": dim for name, dim in dims.items()}
    check_same(
        expected,
        {name: got[name] for name in expected if name in got},
        f"'data' needs to be the graph of {owner}",
        "prepare it by the same transforms, or pass 'any_data=True' in case only its "
        'pairs and features are meant to differ',
    )


def check_same(
    expected: dict[str, Any], got: dict[str, Any], needs: str, advice: str
) -> None:
    r"""Checks that two things are the same, by plain values and digests, and raises an
    error that names what differs. Where it is only the values of floating-point
    tensors, which could be the rounding of another machine or type, a warning does.
    """
    names = [x for x in {**expected, **got} if expected.get(x) != got.get(x)]
    wrong = [name for name in names if not name.startswith(VALUES)]
    found = '; '.join(_in_words(x, expected, got) for x in (wrong or names)[:5])
    if wrong:
        raise ValueError(f'{needs} (got {found}): {advice}')
    if names:
        warnings.warn(f'{needs} (got {found}): {advice}', stacklevel=3)


def _in_words(name: str, expected: dict[str, Any], got: dict[str, Any]) -> str:
    a, b = expected.get(name), got.get(name)
    if str(a).startswith(SHA) or str(b).startswith(SHA):
        return f'no {name}' if b is None else f'other {name}'
    return f'{name} is {b!r:.80} instead of {a!r:.80}'


def _digest_pairs(pairs: Tensor, data: HeteroData) -> str:
    pairs = (pairs.as_tensor() if isinstance(pairs, EdgeIndex) else pairs).long()
    return digest((pairs[0] * int(data[ITEM].num_nodes) + pairs[1]).sort().values)


def _parts(value: Any, values: bool, parents: tuple[int, ...]) -> Iterator[Any]:
    if id(value) in parents:
        yield b'parent'
        return

    def parts(value: Any) -> Iterator[Any]:
        return _parts(value, values, inner)

    inner = (*parents, id(value))
    kind = type(value).__qualname__.encode()
    if isinstance(value, (Enum, *PLAIN, torch.dtype, torch.device)):
        yield kind
        yield value if isinstance(value, bytes) else repr(value).encode()
    elif isinstance(value, Mapping):
        yield b'mapping of %d' % len(value)
        for key in sorted(value, key=digest):
            yield from parts(key)
            yield from parts(value[key])
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield b'%b of %d' % (kind, len(value))
        ordered = isinstance(value, (list, tuple))
        for entry in value if ordered else sorted(value, key=digest):
            yield from parts(entry)
    elif isinstance(value, (Tensor, SparseTensor)):
        yield from _tensor_parts(value, values)
    elif isinstance(value, np.generic):
        yield from parts(value.item())
    elif isinstance(value, np.ndarray):
        yield f'{value.dtype.newbyteorder("=")} of {value.shape}'.encode()
        yield from (
            parts(value.tolist())
            if value.dtype.hasobject
            else [value.astype(value.dtype.newbyteorder('=')).tobytes()]
        )
    elif isinstance(value, partial):
        yield from parts(('partial', value.func, value.args, value.keywords))
    elif isinstance(value, Module):
        for name, child in value.named_modules():
            yield from parts((name, type(child), attributes(child)))
        yield from parts({**dict(value.named_buffers()), **value.state_dict()})
    elif hasattr(value, '__qualname__'):
        yield value.__qualname__.encode()
    else:
        yield kind
        yield from parts(_public(value))


def attributes(module: Module) -> dict[str, Any]:
    r"""Returns the public attributes of a module itself, where other objects than
    tensors, functions, and containers of plain values count by type.
    """
    known = (*PLAIN, Tensor, SparseTensor, np.ndarray, Mapping, list, tuple, set, Enum)
    return {
        name: value
        if isinstance(value, known) or hasattr(value, '__qualname__')
        else type(value)
        for name, value in _public(module).items()
    }


def _public(value: Any) -> dict[str, Any]:
    names = [x.name for x in fields(value)] if is_dataclass(value) else []
    names += getattr(value, '__dict__', {})
    return {
        name: getattr(value, name)
        for name in names
        if not name.startswith('_') and name not in IGNORED
    }


def _tensor_parts(value: Any, values: bool) -> Iterator[Any]:
    if isinstance(value, SparseTensor):
        yield f'sparse of {value.sizes()}'.encode()
        tensors = [x for x in value.csr() if x is not None]
    elif isinstance(value, EdgeIndex):
        tensors = [value.as_tensor()]
    elif value.layout == torch.strided:
        tensors = [value]
    else:
        value = value.to_sparse_coo().coalesce()
        yield f'sparse of {list(value.shape)}'.encode()
        tensors = [value.indices(), value.values()]
    for tensor in tensors:
        yield f'tensor of {list(tensor.shape)}'.encode()
        if values or not tensor.is_floating_point():
            yield str(tensor.dtype).encode()
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            yield flat.view(torch.uint8).numpy()
