r"""What tells models apart."""

import json
import re
from hashlib import sha256
from numbers import Number
from typing import Any

import torch
from torch import nn

# A model is the same in training, and wherever it lies:
IGNORED = ('name_or_path', 'training')
ADDRESS = re.compile(r' at 0x[0-9a-f]+', re.IGNORECASE)


def weights_digest(module: nn.Module) -> str:
    r"""Returns a short digest of the layers of a module, their settings, and the
    weights.

    Settings are the public attributes that are numbers, strings, functions (by
    name), :obj:`None`, or lists of them.

    Args:
        module (torch.nn.Module): The module.
    """
    # Some modules hide those in them from their own representation.
    layers = [
        f'{name}:{child!r}:{_settings(child)}' for name, child in module.named_modules()
    ]
    digest = sha256(ADDRESS.sub('', '\n'.join(layers)).encode())
    # Not all buffers are part of the state:
    tensors = {**dict(module.named_buffers()), **module.state_dict()}
    for name, value in tensors.items():
        digest.update(f'{name}:{value.dtype}:{list(value.shape)}:'.encode())
        digest.update(
            value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        )
    return digest.hexdigest()[:16]


def _settings(module: nn.Module) -> list[str]:
    out = [f'{type(module).__module__}.{type(module).__qualname__}']
    for name, value in sorted(vars(module).items()):
        if not name.startswith('_') and name not in IGNORED:
            described = _describe(value)
            out += [] if described is None else [f'{name}={described}']
    return out


def _describe(value: Any) -> str | None:
    if value is None or isinstance(value, (Number, str)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        parts = [_describe(x) for x in value]
        return None if None in parts else repr(parts)
    if hasattr(value, '__qualname__'):
        return f'{value.__module__}.{value.__qualname__}'
    return None


def tokenizer_digest(tokenizer: Any) -> str:
    r"""Returns a short digest of the vocabulary and the rules of a tokenizer.

    Args:
        tokenizer (Any): The tokenizer, of :obj:`transformers`,
            :obj:`tokenizers` or :obj:`sentence_transformers`.
    """
    backend = getattr(tokenizer, 'backend_tokenizer', tokenizer)
    if hasattr(backend, 'to_str'):
        rules = json.loads(backend.to_str())
        for key in ('padding', 'truncation'):  # Those of its last call.
            rules.pop(key, None)
    else:
        rules = backend.get_vocab() if hasattr(backend, 'get_vocab') else None
    names = ('do_lower_case', 'padding_side', 'stop_words', 'truncation_side')
    rules = [rules, [getattr(tokenizer, name, None) for name in names]]
    content = json.dumps(rules, sort_keys=True, default=sorted)
    return sha256(content.encode()).hexdigest()[:16]
