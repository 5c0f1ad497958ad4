r"""What tells models apart."""

import json
import re
from hashlib import sha256
from typing import Any

import torch
from torch import nn

ADDRESS = re.compile(r' at 0x[0-9a-f]+', re.IGNORECASE)


def weights_digest(module: nn.Module) -> str:
    r"""Returns a short digest of the layers and the weights of a module.

    Args:
        module (torch.nn.Module): The module.
    """
    # What has no weights, such as pooling; some modules hide those in them.
    layers = [repr(module)]
    for name, child in module.named_modules():
        if next(child.children(), None) is None:
            layers.append(f'{name}:{child!r}')
    digest = sha256(ADDRESS.sub('', '\n'.join(layers)).encode())
    for name, value in module.state_dict().items():
        digest.update(f'{name}:{value.dtype}:{list(value.shape)}:'.encode())
        digest.update(
            value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        )
    return digest.hexdigest()[:16]


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
